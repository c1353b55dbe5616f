"""How every command ends: its errors in words on stderr, its exit code.

0: done. 1: the reader of its output went away (`compile-spec wacnn | head`), `diff` found differences, or `doctor` that
something is wrong. 2: the input is wrong (of several inputs, one), and stderr says what and where. 3: `infer-spec
--strict` is not certain. 130: interrupted.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, NoReturn

import typer

from codecspec.runtime.compressai_import import leave_out
from codecspec.schema.errors import SpecError

INTERRUPTED = 130


def run(app: typer.Typer) -> NoReturn:
    """Run a command; errors that this project raises on purpose become words and exit code 2."""
    leave_out()
    try:
        app()
    except SpecError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except SystemExit as end:
        # typer makes an exit of everything: 0 at the end, 2 of wrong arguments, 130 (and no word) of an interrupt.
        if end.code == INTERRUPTED:
            print("interrupted", file=sys.stderr)
        sys.exit(_flushed(end.code))
    sys.exit(0)


def _flushed(code: str | int | None) -> str | int | None:
    """The exit code, once what was printed has gone out."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # Python would try again at exit, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return code or 1
    return code


def print_json(content: Any) -> None:
    """Print a JSON document."""
    print(json.dumps(content, indent=2))


def problems_json(error: SpecError) -> dict[str, Any]:
    """An error as JSON content."""
    return {
        "ok": False,
        "problems": [{"code": p.code, "where": p.where, "message": p.message, "hint": p.hint} for p in error.problems],
    }


def report(line: str) -> None:
    """Say a line about the result, beside it."""
    print(line, file=sys.stderr)


def note(text: str) -> None:
    """Say something beside the result."""
    report(f"note: {text}")
