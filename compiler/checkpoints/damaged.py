"""What is wrong with a file, in words, before it is known which file; and names out of files, fit for a message."""

from __future__ import annotations

from codecspec.schema.errors import escaped

MAX_SAID = 120
MAX_KEY = 1000
"""Characters of a key; Python itself could not write the module's path that a longer one would be."""


class DamagedError(Exception):
    """A file is not what its format asks for. Whoever knows the file's name makes a CheckpointError of it."""


class RefusedError(DamagedError):
    """It may be whole, and holds what is not looked at: code, or something else that a state dict needs not."""


def printable(name: str) -> str:
    """A name as it is, if it can be printed; cut, and with escapes for what a terminal would obey."""
    short = name if len(name) <= MAX_SAID else f"{name[: MAX_SAID - 3]}..."
    return escaped(short)


def checked_key(name: str) -> str:
    """The key, unless it is too long to be one.

    Raises:
        DamagedError: it is.
    """
    if len(name) > MAX_KEY:
        raise DamagedError(f"it has a key of {len(name):,} characters ({printable(name)})")
    return name
