"""What commands say beside their results, and where: all that `--json`, `-q`, `-v` and colours mean is decided here.

Results go to stdout, remarks about them to stderr; where the result is a file, a line about it goes to stdout. With
`--json` stdout has one JSON document and nothing else, of an error too. `-q` leaves results and errors, `-v` adds to
what is said.
"""

from __future__ import annotations

import json
import logging
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from codecspec.schema.errors import escaped

if TYPE_CHECKING:
    from rich.console import Console

    from codecspec.schema.errors import SpecError

WIDTH = 140
"""Columns of a table that goes into a file or a pipe."""


@dataclass(slots=True)
class Loudness:
    """How much the command that runs is to say.

    Args:
        quiet: `-q`: only results and errors.
        verbose: `-v`: more.
        as_json: `--json`: stdout is for a document.
    """

    quiet: bool = False
    verbose: bool = False
    as_json: bool = False


_now = Loudness()


@contextmanager
def speaking(loudness: Loudness) -> Iterator[None]:
    """Speak as loud as that while the context is open, and for the library, too: what it logs becomes notes."""
    global _now
    before, _now = _now, loudness
    logger, notes = logging.getLogger("codecspec"), _Notes()
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(notes)
    try:
        yield
    finally:
        logger.removeHandler(notes)
        logger.setLevel(level)
        _now = before


class _Notes(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        note(record.getMessage())


def is_quiet() -> bool:
    """Whether only results and errors are said."""
    return _now.quiet


def is_verbose() -> bool:
    """Whether more is said."""
    return _now.verbose


def print_json(content: Any) -> None:
    """Print a JSON document; a number that is not finite (the PSNR of equal images) is null in it."""
    print(json.dumps(_finite(content), indent=2, allow_nan=False))


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {name: _finite(value) for name, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def problems_json(error: SpecError) -> dict[str, Any]:
    """An error as JSON content."""
    return {
        "ok": False,
        "problems": [{"code": p.code, "where": p.where, "message": p.message, "hint": p.hint} for p in error.problems],
    }


def remark(line: str) -> None:
    """Say a line on stdout, where the result is a file, or the line stands below it."""
    if not (_now.quiet or _now.as_json):
        print(escaped(line))


def report(line: str) -> None:
    """Say a line about the result, beside it."""
    if not _now.quiet:
        print(escaped(line), file=sys.stderr)


def note(text: str) -> None:
    """Say something beside the result."""
    report(f"note: {text}")


def console(width: int = WIDTH) -> Console:
    """Where tables are printed: as wide as the terminal, with its colours; elsewhere of `width` columns, and plain.

    `NO_COLOR` and `FORCE_COLOR` are heard.
    """
    from rich.console import Console

    class Plain(Console):
        def on_broken_pipe(self) -> None:  # rich would end the process, with 1
            raise BrokenPipeError

    return Plain(width=None if sys.stdout.isatty() else width, highlight=False, markup=False)
