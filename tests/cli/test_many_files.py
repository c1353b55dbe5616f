"""`codecspec compress` and `decompress` over many files, folders, stdin and stdout; grey and 16 bits a sample."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import codecspec as cs
from codecspec.cli import jobs
from codecspec.runtime.image_files import read_image_file
from codecspec.runtime.streams.container import Stream
from tests.cli.conftest import SCRIPTS, Command
from tests.first_runs import as_if_compiled
from tests.runtime.small_codecs import small


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "small.safetensors"
    cs.save(small("mbt2018-mean"), path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images in a folder and one below; a file that is none, and one of another ending."""
    rng = np.random.default_rng(0)
    below = tmp_path / "in" / "below"
    below.mkdir(parents=True)
    for i, path in enumerate(("a.png", "b.jpg", "below/c.webp")):
        samples = rng.integers(0, 256, (20 + i, 30, 3), dtype=np.uint8)
        Image.fromarray(samples).save(tmp_path / "in" / path)
    (tmp_path / "in" / "notes.txt").write_text("nothing to see")
    return tmp_path / "in"


def below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_folders_go_into_folders_and_back(command: Command, folder: Path, model: Path) -> None:
    coded, decoded = folder.parent / "coded", folder.parent / "decoded"
    done = command("codecspec", "compress", folder, "-m", model, "-o", coded)
    assert (done.code, done.err) == (0, "")
    assert [line.split(" -> ")[0].rsplit(" ", 1)[0] for line in done.out.splitlines()] == [
        str(folder / name) for name in ("a.png", "b.jpg", "below/c.webp")
    ]
    assert below(coded) == ["a.csp", "b.csp", "below/c.csp"]
    done = command("codecspec", "decompress", coded, "-m", model, "-o", decoded)
    assert (done.code, done.err) == (0, "")
    assert below(decoded) == ["a.png", "b.png", "below/c.png"]
    net = cs.load(model)
    for name in ("a", "b", "below/c"):
        x_hat = cs.decode(net, (coded / f"{name}.csp").read_bytes())
        assert float((read_image_file(decoded / f"{name}.png").x - x_hat).abs().max()) <= 0.5 / 255 + 1e-6


def test_without_an_output_files_go_beside_and_replace_nothing(command: Command, folder: Path, model: Path) -> None:
    images = [folder / "a.png", folder / "b.jpg"]
    assert command("codecspec", "compress", *images, "-m", model).code == 0
    coded = (folder / "a.csp").read_bytes()
    done = command("codecspec", "compress", *images, "-m", model)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"E-output at {folder / 'a.csp'}: a file of this name is there already\n")
    assert "--force replaces it" in done.err
    original = (folder / "a.png").read_bytes()
    done = command("codecspec", "decompress", folder / "a.csp", "-m", model)
    assert done.code == 2
    assert (folder / "a.png").read_bytes() == original, "the image that was coded has the name of the decoded one"
    (folder / "a.csp").write_bytes(b"")
    assert command("codecspec", "compress", *images, "-m", model, "--force").code == 0
    assert (folder / "a.csp").read_bytes() == coded


def test_one_failure_does_not_lose_the_others(command: Command, folder: Path, model: Path) -> None:
    (folder / "broken.png").write_bytes(b"hello")
    coded = folder.parent / "coded"
    done = command("codecspec", "compress", folder, folder / "missing.png", "-m", model, "-o", coded)
    assert done.code == 2
    assert below(coded) == ["a.csp", "b.csp", "below/c.csp"]
    first, _, second, last = done.err.splitlines()
    assert first.startswith(f"E-image at {folder / 'broken.png'}: ")
    assert second == f"E-image at {folder / 'missing.png'}: no such file"
    assert last == "2 of 5 files failed"
    (coded / "b.csp").write_bytes((coded / "b.csp").read_bytes()[:-1])
    done = command("codecspec", "decompress", coded, "-m", model, "-o", folder.parent / "decoded")
    assert done.code == 2
    assert below(folder.parent / "decoded") == ["a.png", "below/c.png"]
    assert f"{coded / 'b.csp'}: E-stream at byte" in done.err, "an error that does not name its file is given it"


@pytest.mark.parametrize(
    ("args", "where", "message"),
    [
        (["a.png", "b.jpg", "-o", "-"], "-o -", "several results do not go into one stream"),
        (["a.png", "-"], "-", "stdin is read alone"),
        (["a.png", "b.jpg", "-o", "notes.txt"], "notes.txt", "2 inputs go into a folder, and this is a file"),
        (["a.png", "a.jpg", "-o", "out"], "out/a.csp", "a.png and a.jpg would both be written here"),
        (["a.png", "a.png", "-o", "out"], "out/a.csp", "a.png and a.png would both be written here"),
        (["empty", "-o", "out"], "empty", "no file in this folder ends in .png, .jpg"),
        (["a.png", "b.jpg", "--reconstruction", "x.png"], "--reconstruction", "it is of one image, and there are 2"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_does_not_go_together_is_refused_first(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], where: str, message: str
) -> None:
    monkeypatch.chdir(folder)
    (folder / "empty").mkdir()
    before = below(folder)
    done = command("codecspec", "compress", *args, "-m", "nothing.safetensors")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(("E-usage", "E-output"))
    assert f" at {where}: {message}" in done.err
    assert below(folder) == before


def piped(*args: object, data: bytes) -> subprocess.CompletedProcess[bytes]:
    command = [str(SCRIPTS / "codecspec"), *map(str, args)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, input=data, capture_output=True, check=False, env=environment)
    done.stderr = as_if_compiled(done.stderr.decode()).encode()
    return done


def test_stdin_and_stdout(folder: Path, model: Path) -> None:
    image = (folder / "a.png").read_bytes()
    coded = piped("compress", "-", "-m", model, data=image)
    assert coded.returncode == 0, coded.stderr
    assert coded.stderr.startswith(b"stdin 30x20 -> stdout: ")
    assert coded.stdout == cs.encode(cs.load(model), folder / "a.png")
    decoded = piped("decompress", "-", "-m", model, "-o", "-", data=coded.stdout)
    assert decoded.returncode == 0, decoded.stderr
    expected = cs.decode(cs.load(model), coded.stdout)
    assert float((read_image_file(decoded.stdout).x - expected).abs().max()) <= 0.5 / 255 + 1e-6
    said = piped("stream", "-", data=coded.stdout)
    assert said.stdout.startswith(b"-: 30x20, RGB, 8 bits a sample; ")
    broken = piped("decompress", "-", "-m", model, data=coded.stdout[:-3])
    assert (broken.returncode, broken.stdout) == (2, b"")
    assert broken.stderr.startswith(b"E-stream at byte")


def test_grey_and_16_bits_come_back_as_they_went(command: Command, tmp_path: Path, model: Path) -> None:
    samples = np.random.default_rng(0).integers(0, 65_536, (33, 20), dtype=np.uint16)
    Image.fromarray(samples).save(tmp_path / "deep.png")
    coded = tmp_path / "deep.csp"
    assert command("codecspec", "compress", tmp_path / "deep.png", "-m", model).code == 0
    picture = Stream.from_bytes(coded.read_bytes()).header.picture
    assert (picture.channels, picture.bit_depth) == (1, 16)
    x_hat = cs.decode(cs.load(model), coded.read_bytes())
    for name in ("x.png", "x.ppm"):
        done = command("codecspec", "decompress", coded, "-m", model, "-o", tmp_path / name)
        assert (done.code, done.err) == (0, "")
        file = read_image_file(tmp_path / name)
        assert (file.grey, file.bit_depth) == (True, 16)
        assert float((file.x[:, :1] - x_hat).abs().max()) <= 0.5 / 65_535 + 1e-6
    done = command("codecspec", "decompress", coded, "-m", model, "-o", tmp_path / "x.jpg")
    assert done.err == f"note: {tmp_path / 'x.jpg'}: of 16 bits a sample this format keeps 8; .png and .ppm keep all\n"
    with Image.open(tmp_path / "x.jpg") as image:
        assert image.mode == "L"


@pytest.mark.parametrize(("profile", "coder"), [("portable", "compressai"), ("exact", "codecspec")])
def test_profiles_and_coders_are_in_the_stream(
    command: Command, folder: Path, model: Path, profile: str, coder: str
) -> None:
    out = folder / "x.csp"
    done = command(
        "codecspec", "compress", folder / "a.png", "-m", model, "-o", out, "--profile", profile, "--coder", coder
    )
    assert (done.code, done.err) == (0, "")
    header = Stream.from_bytes(out.read_bytes()).header
    assert (header.profile, header.coder) == (profile, coder)
    assert command("codecspec", "decompress", out, "-m", model, "-o", folder / "x.png").code == 0


def test_models_that_code_position_by_position_say_that_they_are_exact(
    command: Command, folder: Path, tmp_path: Path
) -> None:
    cs.save(small("mbt2018"), tmp_path / "raster.safetensors")
    compress = ["codecspec", "compress", folder / "a.png", folder / "b.jpg", "-m", tmp_path / "raster.safetensors"]
    done = command(*compress, "-o", tmp_path / "coded")
    assert done.code == 0
    assert done.err.count("note: this model codes y position by position, so the stream is exact") == 1
    assert command(*compress, "-o", tmp_path / "again", "--profile", "exact").err == ""
    done = command(*compress, "-o", tmp_path / "third", "--profile", "portable")
    assert done.code == 2
    assert "E-input at profile: y is coded position by position" in done.err


def test_verbose_says_where_the_bits_go(command: Command, folder: Path, model: Path) -> None:
    done = command("codecspec", "compress", folder / "a.png", "-m", model, "-o", folder / "x.csp", "-v")
    assert done.code == 0
    table = done.out.splitlines()[2:]
    assert table[0].split() == ["part", "symbols", "likelihoods", "tables", "escapes", "coded", "checks"]
    assert [row.split()[0] for row in table[1:3]] == ["z", "y"]
    assert "bytes for likelihoods of" in table[3]
    again = command("codecspec", "stream", folder / "x.csp", "-m", model)
    assert again.out.splitlines()[-len(table) :] == table


def test_the_progress_bar_is_for_terminals_alone(
    command: Command, folder: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    done = command("codecspec", "compress", folder, "-m", model, "-o", folder.parent / "quiet")
    assert done.err == ""
    monkeypatch.setattr("codecspec.cli.progress.sys.stderr.isatty", lambda: True)
    done = command("codecspec", "compress", folder, "-m", model, "-o", folder.parent / "seen")
    assert "coding" in done.err
    assert "3/3" in done.err
    assert done.out.count(" bits per pixel\n") == 3, "what is printed stays on stdout"


def test_a_job_reads_stdin_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        class buffer:  # noqa: N801
            read = staticmethod(lambda: b"bytes")

    monkeypatch.setattr(sys, "stdin", Stdin)
    assert jobs.read_stream(jobs.Job.of("-")) == b"bytes"
