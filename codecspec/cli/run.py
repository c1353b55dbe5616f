"""How every command ends: its errors in words on stderr, its exit code.

0: done. 2: the input is wrong, and stderr says what and where. 130: interrupted.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, NoReturn

import typer

from codecspec.schema.errors import SpecError


def run(app: typer.Typer) -> NoReturn:
    """Run a command; errors that this project raises on purpose become words and exit code 2."""
    try:
        app()
    except SpecError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of a pipe went away (`compile-spec wacnn | head`); Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    sys.exit(0)


def print_json(content: Any) -> None:
    """Print a JSON document."""
    print(json.dumps(content, indent=2))


def problems_json(error: SpecError) -> dict[str, Any]:
    """An error as JSON content."""
    return {
        "ok": False,
        "problems": [
            {"code": p.code, "where": p.where, "message": p.message, "hint": p.hint} for p in error.problems
        ],
    }


def note(text: str) -> None:
    """Say something beside the result."""
    print(f"note: {text}", file=sys.stderr)
