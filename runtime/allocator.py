"""How the C library hands out memory for activations."""

from __future__ import annotations

import ctypes
import platform

M_TRIM_THRESHOLD = -1
M_MMAP_MAX = -4
"""Of glibc's <malloc.h>."""
ALL_OF_IT = 2**31 - 1


def keep_freed_memory() -> bool:
    """Make glibc keep and reuse freed memory for the rest of this process; True if that worked.

    By default glibc maps each large block anew and unmaps it when freed, so the kernel has to clear the pages of every
    activation first: up to a fifth of the time of a codec on the CPU. With this the process keeps its largest footprint
    until it ends. It affects the whole process, so importing codecspec does not do it. The commands do; in your own
    process, call it before the first image. Without glibc it does nothing.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    return bool(libc.mallopt(M_MMAP_MAX, 0)) and bool(libc.mallopt(M_TRIM_THRESHOLD, ALL_OF_IT))
