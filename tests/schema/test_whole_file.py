"""Outputs that are whole or not there, wherever they go."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from codecspec.schema.errors import UsageError
from codecspec.schema.whole_file import make_folder, whole_file


def write(path: Path, text: str = "whole") -> None:
    with whole_file(path) as partial:
        partial.write_text(text)


def fail(path: Path) -> None:
    with whole_file(path) as partial:
        partial.write_text("other")
        raise ValueError("no more")


def test_it_is_there_when_it_is_complete(tmp_path: Path) -> None:
    with whole_file(tmp_path / "x") as partial:
        partial.write_text("half")
        assert not (tmp_path / "x").exists()
    assert (tmp_path / "x").read_text() == "half"
    with pytest.raises(ValueError, match="no more"):
        fail(tmp_path / "x")
    assert (tmp_path / "x").read_text() == "half"
    assert os.listdir(tmp_path) == ["x"]


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("old")
    (tmp_path / "link").symlink_to("folder/file")
    write(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "folder" / "file").read_text() == "whole"
    assert os.listdir(tmp_path / "folder") == ["file"]


def test_what_is_no_file_is_written_into(tmp_path: Path) -> None:
    """Replaced, `/dev/null` would be a file from then on."""
    os.mkfifo(tmp_path / "pipe")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_text()))
    reader.start()
    write(tmp_path / "pipe")
    reader.join(30)
    assert read == ["whole"]
    assert (tmp_path / "pipe").is_fifo()
    write(Path(os.devnull))
    assert not Path(os.devnull).is_file()


def test_a_name_may_be_as_long_as_the_system_allows(tmp_path: Path) -> None:
    longest = tmp_path / ("x" * 255)
    write(longest)
    assert longest.read_text() == "whole"
    with pytest.raises(UsageError, match="it cannot be written: File name too long"):
        write(tmp_path / ("x" * 256))


def test_folders_that_cannot_be_made(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="it cannot be made: Not a directory"):
        make_folder(tmp_path / "file" / "below")
