"""Names out of files, for messages: short, and without what a terminal would obey."""

from __future__ import annotations

MAX_SAID = 120


def printable(name: str) -> str:
    """A name as it is, if it can be printed; cut, and with escapes for the rest."""
    short = name if len(name) <= MAX_SAID else f"{name[: MAX_SAID - 3]}..."
    return short if short.isprintable() else repr(short)[1:-1]
