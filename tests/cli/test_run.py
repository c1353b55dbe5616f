"""How commands end where the system fails them: a full disk, a closed stdout, an interrupt while they are loaded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import codecspec as cs
from codecspec.cli import run
from tests.cli.conftest import SCRIPTS, Command
from tests.runtime.small_codecs import small

FULL = Path("/dev/full")
A_FULL_DISK = pytest.mark.skipif(not FULL.exists(), reason="no /dev/full")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "x.safetensors"
    cs.save(small("mbt2018-mean"), path)
    return path


def shell(line: str, folder: Path, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """A line of a shell, with our commands."""
    path = f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PATH": path, **(environment or {})},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@A_FULL_DISK
@pytest.mark.parametrize("words", ["zoo", "zoo --json", "zoo --help", "--version", "stats none.yaml --json"])
def test_a_full_disk_behind_stdout(words: str, tmp_path: Path) -> None:
    done = shell(f"codecspec {words} >/dev/full", tmp_path)
    assert (done.returncode, done.stderr) == (2, "E-output at stdout: it cannot be written: No space left on device\n")


@pytest.mark.parametrize("words", ["zoo", "zoo --json", "zoo --help"])
def test_a_closed_stdout(words: str, tmp_path: Path) -> None:
    done = shell(f"codecspec {words} >&-", tmp_path)
    assert (done.returncode, done.stderr) == (2, "E-output at stdout: it cannot be written: Bad file descriptor\n")


def test_a_closed_stderr_does_not_send_remarks_into_results(tmp_path: Path) -> None:
    done = shell("codecspec zoo -v 2>&-", tmp_path)
    assert done.returncode == 0
    assert done.stdout == shell("codecspec zoo", tmp_path).stdout
    done = shell("codecspec stats none.yaml 2>&-", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize(
    "words",
    [
        "codecspec convert {model} --to canonical -o out.safetensors",
        "codecspec convert {model} --to canonical -o out.pth",
        "compile-spec mbt2018-mean --set N=8 -q -o out.safetensors",
    ],
)
def test_a_file_that_the_system_does_not_take(words: str, model: Path, tmp_path: Path) -> None:
    """As on a full disk: no file may have more than 4 KiB."""
    done = shell(f"ulimit -f 4; {words.format(model=model)}", tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("E-output at out."), done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert os.listdir(tmp_path) == []


def test_a_folder_that_the_system_does_not_make(command: Command, model: Path, tmp_path: Path) -> None:
    out = Path("/proc/none") if Path("/proc").exists() else tmp_path / "none" / "none"
    done = command("codecspec", "eval", model, model.parent, "-o", out)
    assert done.code == 2
    assert done.err.startswith("E-")


def test_names_that_no_text_can_hold(model: Path, tmp_path: Path) -> None:
    """A file's name is bytes, and what stdout can say depends on the locale."""
    from PIL import Image

    (tmp_path / "in").mkdir()
    for name in (b"\xff.png", "\u00e9.png".encode(), b"a\n\x1b[31mb.png"):
        Image.new("RGB", (16, 16)).save(tmp_path / "x.png")
        os.rename(tmp_path / "x.png", os.path.join(os.fsencode(tmp_path / "in"), name))
    for locale in ({"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "utf-8:strict"}):
        done = shell(f"codecspec compress in -m {model} -o out --force", tmp_path, locale)
        assert (done.returncode, done.stderr) == (0, "")
        assert len(done.stdout.splitlines()) == 3
        assert r"in/a\n\x1b[31mb.png 16x16 -> out/a\n\x1b[31mb.csp: " in done.stdout
        assert r"in/\udcff.png 16x16" in done.stdout
        done = shell(f"codecspec eval {model} in -o results", tmp_path, locale)
        assert (done.returncode, done.stderr) == (0, "")
        assert r"a\n\x1b[31mb.png" in done.stdout
    assert "\\udcff.png" in (tmp_path / "results" / "images.csv").read_text(encoding="utf-8")


def test_an_extension_that_is_interrupted_while_it_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """It fails with an error of its own, which is no error of ours."""

    def app(**_: object) -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt as error:
            raise ImportError("initialization failed") from error

    monkeypatch.setattr(signal, "signal", signal.signal)
    monkeypatch.setattr(sys, "argv", ["codecspec"])
    before = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(SystemExit) as end:
            run.run(app)  # type: ignore[arg-type]
    finally:
        signal.signal(signal.SIGINT, before)
    assert end.value.code == 130


@pytest.mark.parametrize("script", ["codecspec", "compile_spec", "infer_spec"])
def test_an_interrupt_while_a_command_is_loaded(script: str) -> None:
    """Ctrl-C comes as typer is asked for."""
    program = f"""
import os, signal, sys
class Interrupting:
    def find_spec(self, name, *_):
        if name == "typer":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
signal.signal(signal.SIGINT, signal.default_int_handler)
from codecspec.cli.start import {script}
{script}()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "interrupted\n")
