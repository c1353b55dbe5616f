"""`--max-memory`, of every command that codes."""

from __future__ import annotations

from typing import Annotated

import typer

from codecspec.schema.byte_sizes import byte_size

MaxMemory = Annotated[
    str | None,
    typer.Option(metavar="SIZE", help="Memory limit of the process, e.g. 3GB; large images run in tiles."),
]


def memory_allowed(given: str | None) -> int | None:
    """The option in bytes; None without it.

    Raises:
        UsageError: it is no amount of memory.
    """
    return None if given is None else byte_size(given, "--max-memory")
