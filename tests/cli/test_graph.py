"""`compile-spec --graph`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import codecspec as cs
from codecspec import picture
from tests.cli.conftest import Command


@pytest.mark.parametrize("ending", [".svg", ".html"])
def test_a_picture(command: Command, tmp_path: Path, ending: str) -> None:
    done = command("compile-spec", "mbt2018", "--set", "N=64", "--graph", tmp_path / f"model{ending}")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[-1].startswith(f"drew {tmp_path / f'model{ending}'} (")
    plan = cs.lower(cs.load_spec("mbt2018", N=64))
    drawn = {".svg": picture.svg, ".html": picture.page}[ending](plan)
    assert (tmp_path / f"model{ending}").read_text() == drawn


def test_beside_the_tree_and_as_json(command: Command, tmp_path: Path) -> None:
    done = command("compile-spec", "mbt2018", "--tree", "--graph", tmp_path / "model.svg")
    assert "latent_codec" in done.out
    done = command("compile-spec", "mbt2018", "--json", "--graph", tmp_path / "model.svg")
    assert json.loads(done.out)["graph"] == str(tmp_path / "model.svg")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--graph", "model.pdf"], "E-usage at model.pdf: a picture of a model ends in .svg, .html"),
        (["--graph", "model"], "a picture of a model ends in"),
        (["--graph", "no/model.svg"], "E-output at no/model.svg: it cannot be written"),
        (["--graph", "model.svg", "--check"], "it only checks the spec, and --graph asks for a picture"),
        (["--graph", "model.svg", "--set", "N=0"], "E-value"),
    ],
)
def test_wrong_input(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = command("compile-spec", "mbt2018", *arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.said
    assert list(tmp_path.iterdir()) == []
