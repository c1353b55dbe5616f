"""How the C library hands out memory for activations."""

from __future__ import annotations

import ctypes
import platform

M_TRIM_THRESHOLD = -1
M_MMAP_MAX = -4
"""Of glibc's <malloc.h>."""
ALL_OF_IT = 2**31 - 1


def keep_freed_memory() -> bool:
    """Have glibc keep what is freed for the next one who asks, for the rest of this process; True where that worked.

    By itself glibc maps each large block anew and unmaps it when it is freed, so that every activation of a network is
    made of pages that the kernel has to clear first: up to a fifth of the time of a codec on the CPU. With
    this the process keeps its largest footprint until it ends. It is about the whole process, so importing codecspec
    does not do it: its commands do, and whoever codes images in a process of his own should, before the first one.
    Elsewhere than on Linux with glibc nothing is done.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    return bool(libc.mallopt(M_MMAP_MAX, 0)) and bool(libc.mallopt(M_TRIM_THRESHOLD, ALL_OF_IT))
