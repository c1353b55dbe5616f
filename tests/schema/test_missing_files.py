"""The slip that is likely behind a path without a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from codecspec.schema.missing_files import missing_hint


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("https://example.org/a.png", "it is a URL"),
        ("https:/example.org/a.png", "it is a URL"),
        ("~/a.png", "a shell leaves `~` as it is"),
        ("photos/*.png", "no file fits the pattern"),
        ("a?.png", "no file fits the pattern"),
        ("phto.png", "did you mean 'photo.png'?"),
        ("nowhere/photo.png", "there is no folder nowhere"),
        ("日本.pgn", "did you mean '日本.png'?"),
        ("photo.png/a.png", ""),
        ("something else", ""),
    ],
)
def test_hints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, hint: str) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("photo.png", "日本.png"):
        (tmp_path / name).touch()
    said = missing_hint(path)
    assert said.startswith(hint)
    assert bool(said) == bool(hint)


def test_in_another_folder(tmp_path: Path) -> None:
    (tmp_path / "photo.png").touch()
    assert missing_hint(str(tmp_path / "foto.png")) == "did you mean 'photo.png'?"
