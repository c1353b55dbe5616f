"""The one way in which this package compiles: on first use, once per function, kept on disk.

Importing this file imports numba (a third of a second), so only the files of kernels do, and those are imported inside
the functions that run them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cached_property
from typing import Any, Literal

import numba
from numba.core import event

from codecspec.runtime.entropy_coding.kernel_cache import named_by_version, remove_other_versions, version_of_kernels

Kernel = Callable[..., Any]
LOGGER = logging.getLogger("codecspec")
"""Says nothing unless it is asked to, as commands do."""
ONCE = "compiling kernels that run here for the first time: some 10 s, once"
"""What is logged, as information, when a process begins to compile."""
EVERY_TIME = (
    "compiling kernels, some 10 s in every process: they cannot be kept on disk here; "
    "NUMBA_CACHE_DIR may name a folder that can be written"
)
"""The same where that is so."""


def compiled(function: Kernel) -> Kernel:
    """`function` as machine code that runs without the interpreter's lock.

    The code is kept beside the source, else in the user's cache folder (or in NUMBA_CACHE_DIR); where neither can be
    written, it is compiled anew in each process. What is kept holds until any file that kernels are made from changes
    (`kernel_cache.sources`), and is removed then.
    """
    return _jit(function, cache=_keep(function))


class Entry:
    """Machine code at an address, for `run_on_all_threads`."""

    def __init__(self, function: Kernel) -> None:
        self._function = function
        self._kept = _keep(function)

    @cached_property
    def address(self) -> int:
        """Where it is; compiled when first asked for, as a file may have more entries than a model runs."""
        signature = numba.types.void(numba.types.intp)
        self._code = numba.cfunc(signature, cache=self._kept, error_model="numpy")(self._function)
        return int(self._code.address)


def on_all_threads(function: Kernel) -> Entry:
    """`function` of one integer as machine code at an `address`, kept as `compiled` says."""
    return Entry(function)


def part(function: Kernel) -> Kernel:
    """`function` as a piece of kernels, compiled by itself.

    References to arrays are counted around a call, four times the cost of coding a symbol, unless numba finds that
    needless; it does where the piece and the way to its call have no branch but what is rare. Measure after a change.
    """
    return _jit(function)


def inlined(function: Kernel) -> Kernel:
    """`function` as a piece of kernels that is compiled with what calls it, and not by itself before.

    It computes the same, and the wait is less where a long piece is called in one place, or a short one anywhere.
    """
    return _jit(function, inline="always")


def _jit(function: Kernel, *, cache: bool = False, inline: Literal["never", "always"] = "never") -> Any:
    return numba.njit(function, cache=cache, nogil=True, error_model="numpy", inline=inline)


def _keep(function: Kernel) -> bool:
    """Have a kernel's machine code kept on disk, by the version of its source; whether that can be."""
    version = version_of_kernels()
    if version is not None:
        try:
            folder = _jit(named_by_version(function, version), cache=True).stats.cache_path
        except (RuntimeError, AttributeError):  # it has no place for it; under NUMBA_DISABLE_JIT no code
            pass
        else:
            remove_other_versions(folder, version)
            return True
    _announcement.text = EVERY_TIME
    return False


class _Announcement(event.Listener):
    """Says once in a process that it compiles, when it begins to: not for code that is on disk, nor for others' code.

    Args:
        package: whose kernels count.
    """

    def __init__(self, package: str) -> None:
        self.text = ONCE
        self._package = package
        self._said = False

    def on_start(self, event: Any) -> None:
        if not self._said and event.data["module"].partition(".")[0] == self._package:
            self._said = True
            LOGGER.info(self.text)

    def on_end(self, event: Any) -> None:
        pass


_announcement = _Announcement(__name__.partition(".")[0])
event.register("numba:run_pass", _announcement)  # type: ignore[no-untyped-call]
