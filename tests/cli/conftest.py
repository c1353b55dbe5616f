"""Commands as a user runs them: in this process where that is enough, in one of their own where it matters."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest

from tests.first_runs import as_if_compiled

SCRIPTS = Path(sys.prefix) / "bin"
"""Where pip put the console scripts."""


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Args:
        code: its exit code.
        out: what it printed.
        err: what it said on stderr, but for the note of a first run.
    """

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """stderr on one line, without what rich draws around it."""
        return " ".join(word for word in self.err.split() if word.strip("│╭╮╰╯─"))


Command = Callable[..., Outcome]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command here: `command("compile-spec", "wacnn", "--check")`; a traceback fails the test."""

    def run(name: str, *args: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", [name, *map(str, args)])
        capsys.readouterr()
        main = import_module(f"codecspec.cli.{name.replace('-', '_')}").main
        code: object = None
        threshold = gc.get_threshold()
        try:
            main()
        except SystemExit as end:
            code = end.code
        finally:  # a command may do with its process what it likes; this one goes on
            gc.unfreeze()
            gc.set_threshold(*threshold)
        out, err = capsys.readouterr()
        assert isinstance(code, int), "a command ends with an exit code"
        return Outcome(code, out, as_if_compiled(err))

    return run


@pytest.fixture
def process(tmp_path: Path) -> Command:
    """Run an installed command in a process of its own, in the test's folder."""

    def run(name: str, *args: object) -> Outcome:
        command = [str(SCRIPTS / name), *map(str, args)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=_environment(), check=False)
        assert "Traceback" not in done.stderr
        return Outcome(done.returncode, done.stdout, as_if_compiled(done.stderr))

    return run


def _environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "100"}
