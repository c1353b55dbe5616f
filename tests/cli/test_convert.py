"""`codecspec convert`: there and back is the identity, the report accounts for every tensor, wrong input is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

import codecspec as cs
from codecspec.cli import codecspec
from codecspec.compiler.checkpoints import read_tensors
from tests.runtime.small_codecs import SMALL, small


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["codecspec", "convert", *arguments])
    with pytest.raises(SystemExit) as caught:
        codecspec.main()
    return int(caught.value.code or 0)


@pytest.mark.parametrize(
    ("name", "to"),
    [
        ("tcm", "authors"),
        ("tcm", "compressai"),
        ("stf", "compressai"),
        ("wacnn", "authors"),
        ("cca-aux", "compressai"),
        ("elic", "compressai-1.2"),
        ("bmshj2018-factorized-relu", "compressai-1.2"),
    ],
)
def test_there_and_back(
    name: str, to: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    codec = small(name)
    cs.save(codec, tmp_path / "ours.safetensors")
    there, back = tmp_path / "there.pth", tmp_path / "back.safetensors"
    assert run(monkeypatch, str(tmp_path / "ours.safetensors"), "--to", to, "-o", str(there)) == 0
    assert f"to the layout {to}:" in capsys.readouterr().out
    params = [f"--set={key}={value}" for key, value in SMALL[name].items()]
    assert run(monkeypatch, str(there), "--spec", name, *params, "--to", "canonical", "-o", str(back)) == 0
    assert f"from the layout {to}:" in capsys.readouterr().out
    expected, found = codec.state_dict(), read_tensors(back)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], tensor) for key, tensor in expected.items())


def test_in_python_from_tensors() -> None:
    codec = small("mbt2018-mean")
    theirs = cs.convert(codec.state_dict(), "compressai-1.2", spec=codec.spec)
    assert "h_a.0.weight" in theirs.tensors
    ours = cs.convert(theirs.tensors, "canonical", spec=codec.spec)
    assert ours.layout == "canonical"
    assert all(torch.equal(ours.tensors[key], tensor) for key, tensor in codec.state_dict().items())


def test_ours_is_the_compressai_layout_of_wacnn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cs.save(small("wacnn"), tmp_path / "ours.safetensors")
    there = tmp_path / "there.safetensors"
    assert run(monkeypatch, str(tmp_path / "ours.safetensors"), "--to", "compressai", "-o", str(there)) == 0
    assert "to the layout compressai:" in capsys.readouterr().out
    expected, found = small("wacnn").state_dict(), read_tensors(there)
    assert found.keys() == expected.keys()


def test_a_spec_of_another_name_may_have_to_say_whose_keys() -> None:
    mapping = {"codecspec": 1, "extends": "wacnn", "name": "mine", "params": SMALL["wacnn"]}
    codec = cs.compile_spec(mapping)
    with pytest.raises(cs.LayoutError, match="several layouts 'authors' have a place for each tensor") as caught:
        cs.convert(codec.state_dict(), "authors", spec=mapping)
    assert "authors-tcm, authors-wacnn" in caught.value.message
    theirs = cs.convert(codec.state_dict(), "authors-wacnn", spec=mapping).tensors
    assert theirs.keys() == cs.convert(codec.state_dict(), "authors", spec=small("wacnn").spec).tensors.keys()


def test_plain_models_differ_by_a_block_without_tensors() -> None:
    """Both have CompressAI's keys; which rules are whose is told by the spec's name."""
    codec = small("bmshj2018-hyperprior")
    theirs = cs.convert(codec.state_dict(), "compressai-1.2", spec=codec.spec).tensors
    assert torch.equal(theirs["h_a.0.weight"], codec.state_dict()["latent_codec.h_a.1.weight"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["{cut}", "--to", "authors", "-o", "{out}.pth"], "E-infer"),
        (["{saved}", "--to", "autors", "-o", "{out}.pth"], "did you mean 'authors'?"),
        (["{saved}", "--to", "compressai-1.2", "-o", "{out}.pth"], "it has: authors, canonical"),
        (["{saved}", "--to", "authors", "-o", "{out}.bin"], "'.bin' names no format of weights"),
        (["{saved}", "--to", "authors", "--set", "N=3", "-o", "{out}.pth"], "E-usage at --set"),
        (["{saved}", "--to", "authors", "-o", "{saved}"], "E-usage"),
        (["{plain}", "--spec", "wacnn", "--to", "authors", "-o", "{out}.pth"], "E-tensors at g_a.0.weight"),
        (["nope.pth", "--spec", "wacnn", "--to", "authors", "-o", "{out}.pth"], "no such file"),
    ],
)
def test_wrong_input(
    arguments: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    codec = small("wacnn")
    cs.save(codec, tmp_path / "saved.safetensors")
    torch.save(codec.state_dict(), tmp_path / "plain.pth")
    torch.save({key: tensor for key, tensor in codec.state_dict().items() if key != "g_a.0.bias"}, tmp_path / "cut.pth")
    names = {"saved": "saved.safetensors", "plain": "plain.pth", "cut": "cut.pth", "out": "out"}
    names = {name: tmp_path / file for name, file in names.items()}
    assert run(monkeypatch, *(argument.format(**names) for argument in arguments)) == 2
    assert says in capsys.readouterr().err
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("out")]
