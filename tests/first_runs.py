"""What a command says only where its kernels have not been compiled yet, which is no matter of most tests."""

from __future__ import annotations

from codecspec.runtime.entropy_coding.compiled import EVERY_TIME, ONCE


def as_if_compiled(said: str) -> str:
    """What a command would have said on a machine that has its kernels."""
    for text in (ONCE, EVERY_TIME):
        said = said.replace(f"note: {text}\n", "")
    return said
