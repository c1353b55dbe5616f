"""Which machine code on disk is of the present source: numba looks at a kernel's own file, and more goes into it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from xxhash import xxh3_64

_ROOT = Path(__file__).parents[1]
_WITH_CONSTANTS = (
    "entropy_coding/compiled.py",
    "entropy_coding/scale_index.py",
    "entropy_coding/tables.py",
    "layers/naf.py",
    "layers/packed_weights.py",
    "layers/winograd.py",
)
"""Files that kernels take constants from, or how they are compiled, besides those of kernels; a test compares."""


def sources() -> list[Path]:
    """The files that kernels are made from."""
    kernels = [file for pattern in ("*_kernels.py", "*/*_kernels.py") for file in _ROOT.glob(pattern)]
    return sorted([*kernels, *(_ROOT / name for name in _WITH_CONSTANTS)])


@cache
def version_of_kernels() -> str | None:
    """A digest of all that is in `sources`, a millisecond once in a process; None where that cannot be read."""
    digest = xxh3_64()
    try:
        for file in sources():
            content = file.read_bytes()
            digest.update(f"{file.relative_to(_ROOT)} {len(content)} ".encode())
            digest.update(content)
    except OSError:
        return None
    return digest.hexdigest()


def named_by_version(function: Callable[..., Any], version: str) -> Callable[..., Any]:
    """`function` with a version in its name, and so in the names of the files where numba keeps its machine code.

    Numba finds what it has kept by these names: of another version it finds nothing.
    """
    function.__qualname__ += f"_{version}"
    return function


@cache
def remove_other_versions(folder: str, version: str) -> None:
    """Remove machine code of other versions of the kernels from a folder of numba's cache, once in a process."""
    for file in Path(folder).glob("*_kernels.*.nb[ci]"):
        if f"_{version}-" not in file.name:
            try:
                file.unlink(missing_ok=True)
            except OSError:
                continue  # it may be in use (Windows), or another user's
