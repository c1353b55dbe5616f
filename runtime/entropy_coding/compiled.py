"""The one way in which this package compiles: on first use, once per function, kept on disk.

Importing this file imports numba (a third of a second), so only the files of kernels do, and those are imported inside
the functions that run them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

Kernel = Callable[..., Any]


def compiled(function: Kernel) -> Kernel:
    """`function` as machine code that runs without the interpreter's lock.

    The code is kept beside the source, else in the user's cache folder (or in NUMBA_CACHE_DIR); where neither can be
    written, it is compiled anew in each process. The cache notices changes of the function's own file only, so what a
    kernel calls stands beside it; if a constant changes elsewhere, touch the file.
    """
    try:
        return _jit(function, cache=True)
    except RuntimeError:  # numba found no place for its cache
        return _jit(function, cache=False)


def on_all_threads(function: Kernel) -> Any:
    """`function` of one integer as machine code at an `address`, for `run_on_all_threads`; kept as `compiled` says."""
    try:
        return _entry(function, cache=True)
    except RuntimeError:
        return _entry(function, cache=False)


def part(function: Kernel) -> Kernel:
    """`function` as a piece of kernels.

    References to arrays are counted around a call, four times the cost of coding a symbol, unless numba finds that
    needless; it does where the piece and the way to its call have no branch but what is rare. Measure after a change.
    """
    return _jit(function, cache=False)


def _jit(function: Kernel, *, cache: bool) -> Kernel:
    kernel: Kernel = numba.njit(function, cache=cache, nogil=True, error_model="numpy")
    return kernel


def _entry(function: Kernel, *, cache: bool) -> Any:
    signature = numba.types.void(numba.types.intp)
    return numba.cfunc(signature, cache=cache, error_model="numpy")(function)
