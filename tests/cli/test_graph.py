"""`compile-spec --graph`."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import codecspec as cs
from codecspec import picture
from codecspec.compiler.model_graph import model_graph
from tests.cli.conftest import Command


@pytest.mark.parametrize("ending", [".svg", ".html"])
def test_a_picture(command: Command, tmp_path: Path, ending: str) -> None:
    done = command("compile-spec", "mbt2018", "--set", "N=64", "--graph", tmp_path / f"model{ending}")
    assert (done.code, done.err) == (0, "")
    path = tmp_path / f"model{ending}"
    assert done.out.splitlines()[-1] == f"drew {path} ({path.stat().st_size:,} bytes)"
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


@pytest.mark.parametrize("name", ["mbt2018", "cca-aux"])
def test_the_tree_has_the_figures_of_the_picture(command: Command, name: str) -> None:
    def boxes(box: dict[str, Any]) -> list[dict[str, Any]]:
        return [box, *(each for child in box.get("children", []) for each in boxes(child))]

    graph = model_graph(cs.lower(cs.load_spec(name)))
    drawn = Counter(
        (f"{box['parameters']:,}", f"{box['kmacs']:,.3f}")
        for box in boxes(graph["root"])
        if box.get("parameters") and box["kmacs"] and box["kind"] not in ("slice", "masked conv")
    )
    nodes = command("compile-spec", name, "--tree").out.partition("part ")[0].splitlines()
    lines = [line.split() for line in nodes if re.search(r"[\d,]+ +[\d,]+\.\d{3}$", line)]
    shown = Counter((line[-2], line[-1]) for line in lines if line[0] != "latent_codec")
    assert shown == drawn
    assert shown.total() > 20
