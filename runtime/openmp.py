"""PyTorch's own threads, for machine code of ours."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray


@cache
def team() -> ctypes._NamedFuncPointer | None:
    """What runs a function on all threads of the OpenMP library that PyTorch runs on; None where that is not GNU's.

    Threads of another library would take turns with these on the same cores: after each operation of PyTorch they wait
    for the next one actively, for milliseconds.
    """
    for file in sorted((Path(torch.__file__).parent / "lib").glob("libgomp*.so*")):
        try:
            run = ctypes.CDLL(str(file)).GOMP_parallel  # loaded already: this is the same library once more
        except (OSError, AttributeError):
            continue
        run.restype = None
        run.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
        return run
    return None


def run_on_all_threads(entry: int, arguments: Sequence[int] | NDArray[np.int64]) -> None:
    """Call machine code once on each thread, all at a time, and wait.

    Args:
        entry: address of a function of one argument, the address of `arguments` as int64. What is behind addresses in
            them the caller keeps alive. The numbers are one array that all threads see and may write to.
        arguments: see `entry`.

    Raises:
        RuntimeError: there is no such library (`team`).
    """
    run = team()
    if run is None:
        raise RuntimeError("PyTorch does not run on GNU's OpenMP here")
    numbers = np.array(arguments, np.int64)
    run(entry, numbers.ctypes.data, torch.get_num_threads(), 0)
