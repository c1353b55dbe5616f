"""Commands that are stopped: one line, no traceback, no half of a file, no process that goes on. Real processes."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

import codecspec as cs
from tests.cli.conftest import SCRIPTS
from tests.first_runs import as_if_compiled
from tests.runtime.small_codecs import small

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc tells what a process does"),
]
LONG = {
    "compress": ["compress", "photos", "-m", "x.safetensors", "-o", "out"],
    "eval": ["eval", "x.safetensors", "photos", "-q", "-o", "out"],
    "scan": ["scan", "checkpoints"],
    "bench": ["bench", "x.safetensors", "--runs", "200", "-o", "out.json"],
    "doctor": ["doctor", "x.safetensors", "photos", "--repair", "out.safetensors"],
}
SAID = {signal.SIGINT: (130, "interrupted"), signal.SIGTERM: (143, "terminated"), signal.SIGHUP: (129, "hung up")}
PATIENCE_S = 300


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("signals")
    cs.save(small("mbt2018-mean"), folder / "x.safetensors")
    (folder / "photos").mkdir()
    for number in range(150):
        Image.new("RGB", (256, 256), (number, 0, 0)).save(folder / "photos" / f"{number}.png")
    (folder / "checkpoints").mkdir()
    content = (folder / "x.safetensors").read_bytes()
    for number in range(400):
        (folder / "checkpoints" / f"{number}.safetensors").write_bytes(content)
    return folder


def until(true: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not true() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.005)


def started(words: list[str], folder: Path) -> subprocess.Popen[str]:
    """A command in a process group of its own, as a shell starts it."""
    return subprocess.Popen(
        [SCRIPTS / "codecspec", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )


def at_work(process: subprocess.Popen[str]) -> bool:
    """PyTorch is loaded, or there are workers."""
    try:
        maps = Path(f"/proc/{process.pid}/maps").read_text()
        return "libtorch_cpu" in maps or bool(children(process))
    except OSError:
        return False


def read_from(terminal: int) -> bytes:
    """What is printed next; fails where nothing is, and somebody could still print."""
    ready, _, _ = select.select([terminal], [], [], PATIENCE_S)
    assert ready, "a process is left that has the terminal open"
    return os.read(terminal, 4096)


def children(process: subprocess.Popen[str]) -> list[str]:
    return Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()


def group_is_gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def files(folder: Path) -> Iterator[str]:
    """All but what is whole by itself: what was measured or coded before."""
    for path in folder.rglob("*"):
        if not path.is_dir() and path.suffix != ".csp" and path.name != "measured.jsonl":
            yield str(path)


@pytest.mark.parametrize("command", LONG)
@pytest.mark.parametrize("number", SAID, ids=lambda number: number.name)
def test_a_long_command_is_stopped(folder: Path, command: str, number: signal.Signals) -> None:
    if number != signal.SIGINT and command not in ("scan", "compress"):
        pytest.skip("signals are heard in one place for all")
    before = set(files(folder)) - {str(folder / "out.safetensors")}
    with started(LONG[command], folder) as process:
        until(lambda: at_work(process), process)
        assert process.poll() is None, "it ended before it could be stopped"
        if number == signal.SIGINT:
            os.killpg(process.pid, number)  # Ctrl-C: the terminal sends it to all
        else:
            process.send_signal(number)
        _, said = process.communicate(timeout=PATIENCE_S)
    code, line = SAID[number]
    lines = as_if_compiled(said).splitlines()
    assert lines[-1:] == [line], said
    assert len(lines) == 1 or (len(lines) == 2 and lines[0].startswith("note: ")), said
    assert process.returncode == code
    assert group_is_gone(process.pid)
    after = set(files(folder)) - {str(folder / "out.safetensors")}
    assert after == before


def test_a_progress_bar_gives_the_terminal_back(folder: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [SCRIPTS / "codecspec", "scan", "checkpoints"],
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        cwd=folder,
        env={**os.environ, "TERM": "xterm-256color"},
        start_new_session=True,
    )
    os.close(theirs)
    said = b""
    while b"scanning" not in said:
        said += read_from(ours)
    os.killpg(process.pid, signal.SIGINT)
    try:
        while piece := read_from(ours):
            said += piece
    except OSError:  # the other end is closed, by all processes
        pass
    os.close(ours)
    assert process.wait(PATIENCE_S) == 130
    assert said.endswith(b"interrupted\r\n")
    assert said.rfind(b"\x1b[?25h") > said.rfind(b"\x1b[?25l"), "the cursor is there again"
    assert group_is_gone(process.pid)
