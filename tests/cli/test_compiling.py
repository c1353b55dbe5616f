"""What commands say while the library compiles its kernels, on stderr and once."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from codecspec.cli.progress import progress_bar
from codecspec.cli.say import Loudness, speaking
from codecspec.runtime.entropy_coding.compiled import LOGGER, ONCE

RUN = """
from typing import Annotated
import numpy as np
import typer
from codecspec.cli.command import add_command, new_app
from codecspec.cli.run import run
from codecspec.cli.say import print_json
from codecspec.runtime.entropy_coding.scale_index import scale_indexes
from codecspec.runtime.entropy_coding.syndromes import symbols_check

def two_kernels(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    indexes = scale_indexes(np.float32([0.5, 2]), np.float32([1, 3]))
    print_json({"check": symbols_check(indexes)})

app = new_app()
add_command(app, two_kernels, "two-kernels")
run(app)
"""


def _run(place: Path, *options: str) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", RUN, *options],
        env={**os.environ, "NUMBA_CACHE_DIR": str(place)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout, done.stderr


def test_the_first_run_says_so_once_and_later_ones_nothing(tmp_path: Path) -> None:
    out, err = _run(tmp_path / "first", "--json")
    assert err == f"note: {ONCE}\n"
    assert _run(tmp_path / "first", "--json") == (out, "")
    assert _run(tmp_path / "second", "-q") == (out, "")


@pytest.mark.parametrize("loudness", [Loudness(), Loudness(as_json=True), Loudness(quiet=True)])
def test_what_the_library_logs_is_a_note(loudness: Loudness, capsys: pytest.CaptureFixture[str]) -> None:
    level = LOGGER.level
    with speaking(loudness):
        LOGGER.info("something")
        LOGGER.debug("nothing")
    LOGGER.info("nothing")
    assert capsys.readouterr() == ("", "" if loudness.quiet else "note: something\n")
    assert (LOGGER.level, LOGGER.handlers) == (level, [])


def test_without_a_command_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    assert not logging.getLogger("codecspec").isEnabledFor(logging.INFO)
    LOGGER.info("something")
    assert capfd.readouterr() == ("", "")


def test_a_note_stands_above_the_progress_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setattr("codecspec.cli.progress.sys.stderr.isatty", lambda: True)
    with speaking(Loudness()), progress_bar(2, "evaluating") as advance:
        advance(1)
        LOGGER.info("something")
        advance(1)
    drawn = capsys.readouterr().err
    assert re.search(r"\r\x1b\[2Knote: something\n", drawn), "on a line that was cleared for it"
    assert drawn.count("something") == 1
