"""The console scripts: Ctrl-C is a word and an exit code while a command is still being loaded, too."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import NoReturn


def codecspec() -> NoReturn:
    """`codecspec`."""
    _start("codecspec")


def compile_spec() -> NoReturn:
    """`compile-spec`."""
    _start("compile_spec")


def infer_spec() -> NoReturn:
    """`infer-spec`."""
    _start("infer_spec")


def _start(name: str) -> NoReturn:
    """Load a command, then run it; once it runs, `run` hears signals."""
    try:
        module = import_module(f"codecspec.cli.{name}")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    sys.exit(module.main())
