"""What a tired user types: swapped arguments, typos, patterns, URLs, one kind of file for another."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

import codecspec as cs
from tests.cli.conftest import Command
from tests.cli.test_completion import completed
from tests.runtime.small_codecs import small


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("slips")
    cs.save(small("bmshj2018-factorized"), folder / "m.safetensors")
    (folder / "photos").mkdir()
    for name in ("photo.png", "photos/a.png"):
        Image.new("RGB", (24, 16)).save(folder / name)
    (folder / "photo.csp").write_bytes(b"CSPC")
    return folder


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "codecspec compress phto.png -m m.safetensors",
            "E-image at phto.png: no such file\n  hint: did you mean 'photo",
        ),
        (
            "codecspec compress photos/*.jpg -m m.safetensors",
            "E-image at photos/*.jpg: no such file\n  hint: no file fits",
        ),
        ("codecspec compress https://x.org/a.png -m m.safetensors", "no such file\n  hint: it is a URL"),
        ("codecspec compress ~/a.png -m m.safetensors", "E-image at ~/a.png: no such file\n  hint: a shell leaves `~`"),
        (
            "codecspec compress photo.png -m n.safetensors --force",
            "no such file\n  hint: did you mean 'm.safetensors'?",
        ),
        ("codecspec compress photo.png -m m.safetensors -o ~/x.csp", "E-output at ~/x.csp: it cannot be written: "),
        ("codecspec compress photo.png -m m.safetensors -o ~/x.csp", "hint: a shell leaves `~` as it is"),
        (
            "codecspec compress photo.csp -m m.safetensors",
            "E-usage at photo.csp: its name ends in .csp, as those of what",
        ),
        ("codecspec decompress photo.png -m m.safetensors", "hint: is it an input of the opposite command?"),
        ("codecspec decompress foto.csp -m m.safetensors", "hint: did you mean 'photo.csp'?"),
        ("codecspec eval photos m.safetensors", "E-usage at m.safetensors: models come first, then the images"),
        (
            "codecspec eval m.safetensors phots",
            "E-usage at phots: no such file or folder\n  hint: did you mean 'photos'?",
        ),
        (
            "codecspec doctor wacnn",
            "E-checkpoint at wacnn: no such file\n  hint: it is a spec in the zoo: `compile-spec wacnn",
        ),
        ("infer-spec m.safetensor", "hint: did you mean 'm.safetensors'?"),
        (
            "infer-spec m.safetensors -o s.safetensors",
            "E-output at s.safetensors: a spec is YAML, and files that end in",
        ),
        ("compile-spec photo.png", "E-encoding at photo.png:1:1: it is no text, and a spec is YAML"),
        ("compile-spec no/x.yaml", "hint: there is no folder no"),
        (
            "codecspec compile-spec wacnn --check",
            "it is a program of its own, and no command of codecspec\n  hint: compile-spec wa",
        ),
    ],
)
def test_an_answer_that_helps(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch, line: str, said: str
) -> None:
    monkeypatch.chdir(folder)
    before = sorted(folder.rglob("*"))
    done = command(*line.split())
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert sorted(folder.rglob("*")) == before


def test_completion_after_another_program_s_name_is_silent(tmp_path: Path) -> None:
    assert "compress" in completed(tmp_path, "codecspec compile-spec ")  # which also sees that nothing is on stderr


def test_an_output_with_a_name_of_its_own_makes_any_input_fine(command: Command, folder: Path, tmp_path: Path) -> None:
    picture = tmp_path / "picture.csp"
    picture.write_bytes((folder / "photo.png").read_bytes())
    done = command("codecspec", "compress", picture, "-m", folder / "m.safetensors", "-o", tmp_path / "out.csp")
    assert done.code == 0


def test_utf_16_is_text(command: Command, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("codecspec: 1\n", encoding="utf-16")
    assert "hint: save the file as UTF-8" in command("compile-spec", tmp_path / "x.yaml").err
