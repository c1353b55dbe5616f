"""The zoo lists what there is, and says that there are no weights."""

from __future__ import annotations

import json
import sys

import pytest

import codecspec as cs
from codecspec import specs
from codecspec.cli import codecspec
from tests.runtime.small_codecs import SMALL


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["codecspec", "zoo", *arguments])
    with pytest.raises(SystemExit) as caught:
        codecspec.main()
    assert caught.value.code in (0, None)


def test_the_list_is_the_folder(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run(monkeypatch, "--json")
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert list(rows) == specs.names()
    assert rows["wacnn"]["parameters"] == 75_235_779
    assert (rows["wacnn"]["venue"], rows["wacnn"]["year"]) == ("CVPR 2022", 2022)
    assert all(isinstance(row["year"], int) for row in rows.values())
    assert rows["mbt2018-mean"]["code_licence"] == "BSD-3-Clause-Clear"
    run(monkeypatch)
    table = capsys.readouterr().out
    assert all(name in table for name in specs.names())
    shown = {line.split()[0]: line for line in table.splitlines()[1:-1]}
    for name, row in rows.items():
        figures = cs.statistics(cs.lower(cs.load_spec(name)))
        assert (row["parameters"], row["kmacs_per_pixel"]) == (figures.parameters, figures.kmacs_per_pixel)
        assert f" {row['parameters']:,} " in shown[name]
        assert f" {row['kmacs_per_pixel']:,.1f} " in shown[name]
    assert " 75,235,779 " in shown["wacnn"]
    assert rows["cca-aux"]["parameters"] == rows["cca"]["parameters"], "what only training runs is not counted"


@pytest.mark.parametrize("name", sorted(SMALL))
def test_every_spec_is_a_function(name: str) -> None:
    make = getattr(cs.zoo, name.replace("-", "_"))
    codec = make(device="meta", **SMALL[name])
    assert codec.spec_hash == cs.spec_hash(cs.lower(cs.load_spec(name, **SMALL[name])).spec)
    assert name.replace("-", "_") in dir(cs.zoo)


def test_no_weights_are_hosted() -> None:
    with pytest.raises(cs.CheckpointError, match="no weights of tcm are hosted") as caught:
        cs.zoo.tcm(pretrained=True)
    assert "cs.load_weights" in caught.value.hint


def test_what_is_not_in_the_zoo() -> None:
    with pytest.raises(AttributeError, match="the zoo has no vgg; it has: bmshj2018_"):
        _ = cs.zoo.vgg
