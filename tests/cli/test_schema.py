"""`codecspec schema` prints the language's JSON Schema, or writes it whole."""

from __future__ import annotations

import json
from pathlib import Path

import codecspec as cs
from tests.cli.conftest import Command


def test_it_is_printed(command: Command) -> None:
    done = command("codecspec", "schema")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == cs.json_schema()


def test_it_is_written_and_says_how_an_editor_finds_it(command: Command, tmp_path: Path) -> None:
    done = command("codecspec", "schema", "-o", tmp_path / "language.json")
    assert (done.code, done.err) == (0, "")
    assert json.loads((tmp_path / "language.json").read_text()) == cs.json_schema()
    assert "# yaml-language-server: $schema=language.json" in done.out


def test_it_cannot_be_written(command: Command, tmp_path: Path) -> None:
    done = command("codecspec", "schema", "-o", tmp_path / "nowhere" / "language.json")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("E-output at ")
