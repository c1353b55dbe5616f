"""The README says what is true: its code runs, its specs compile, its outputs are what the commands print."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from codecspec.cli import compile_spec
from tests.contracts.source_files import ROOT

README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def printed(command: str) -> list[str]:
    """The indented lines after `$ command` in the README."""
    after = README.split(f"    $ {command}\n", 1)[1]
    lines = [line.strip() for line in after.split("\n\n", 1)[0].splitlines()]
    return [line for line in lines if line != "..."]


def run(command: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", command.split())
    with pytest.raises(SystemExit) as caught:
        compile_spec.main()
    return int(caught.value.code or 0)


@pytest.mark.parametrize("code", blocks("python"))
def test_python(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})


def test_the_tree_is_what_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    command = "compile-spec mbt2018-mean --set N=64"
    assert run(command, monkeypatch) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert len(printed(command)) > 4
    assert [line for line in printed(command) if line not in lines] == []


def test_the_changed_spec_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (spec,) = blocks("yaml")
    (tmp_path / "my.yaml").write_text(spec)
    monkeypatch.chdir(tmp_path)
    command = "compile-spec my.yaml --check"
    assert run(command, monkeypatch) == 0
    assert capsys.readouterr().out.splitlines() == printed(command)


def test_the_bad_spec_says_what_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.yaml").write_text(
        "codecspec: 1\nextends: wacnn\nname: my-wacnn\nlatent_codec:\n  y:\n"
        "    support: {filter: frist, max: 5}\n    leaf: {type: lrp_gausian, widths: [224, 128]}\n"
    )
    monkeypatch.chdir(tmp_path)
    command = "compile-spec bad.yaml --check"
    assert run(command, monkeypatch) == 2
    assert [line.strip() for line in capsys.readouterr().err.splitlines()] == printed(command)


def test_the_paths_that_it_names_are_there() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
