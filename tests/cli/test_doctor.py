"""`codecspec doctor`: what it prints, and how it ends."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import codecspec as cs
from tests.cli.conftest import Command
from tests.runtime.small_codecs import small


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "x.safetensors"
    cs.save(small("mbt2018-mean"), path)
    return path


def test_in_words(command: Command, checkpoint: Path) -> None:
    done = command("codecspec", "doctor", checkpoint, "-v")
    assert done.code == 1, "a picture of formula weights is none"
    assert done.err.startswith("took ")
    lines = done.out.splitlines()
    assert lines[0].startswith(f"{checkpoint}: mbt2018-mean (N=12, M=18), whose plan has exactly these ")
    assert "fine   tables     coding tables of 2 entropy models match their weights" in lines
    assert any(line.startswith("wrong  picture    a synthetic image: PSNR ") for line in lines)
    assert any(line.endswith("dB: chunks are means, scales") for line in lines)
    assert lines[-1].endswith("are wrong")
    quiet = command("codecspec", "doctor", checkpoint, "-q").out.splitlines()
    assert all(line.startswith(("wrong", " ")) for line in quiet[:-1])


def test_json(command: Command, checkpoint: Path) -> None:
    content = json.loads(command("codecspec", "doctor", checkpoint, "--json").out)
    assert (content["family"], content["layout"], content["ok"]) == ("mbt2018-mean", "canonical", False)
    assert {each["about"] for each in content["findings"]} >= {"tensors", "tables", "quantiles", "scales", "rate"}
    assert content["trials"][0]["change"] == ""
    assert "chunks are means, scales" in [each["change"] for each in content["trials"]]


def test_repair(command: Command, checkpoint: Path, tmp_path: Path) -> None:
    codec = small("mbt2018-mean")
    with torch.no_grad():
        codec.g_a[0].weight[0, 0, 0, 0] = math.nan
    torch.save({"state_dict": codec.state_dict()}, tmp_path / "x.pth.tar")
    done = command("codecspec", "doctor", tmp_path / "x.pth.tar", "--repair", tmp_path / "out.safetensors")
    assert done.code == 1
    assert "note   tables     coding tables are missing: " in done.out
    assert "1 tensors hold NaN: g_a.0.weight" in done.out
    tables = cs.load(tmp_path / "out.safetensors").latent_codec.z.entropy_bottleneck._quantized_cdf
    assert torch.equal(tables, cs.load(checkpoint).latent_codec.z.entropy_bottleneck._quantized_cdf)


def test_what_cannot_be_repaired_is_not_said_to_be(command: Command, checkpoint: Path, tmp_path: Path) -> None:
    """The file that is there already is not the one that was asked for."""
    tensors = load_file(checkpoint)
    del tensors["g_a.0.weight"]
    save_file(tensors, tmp_path / "x.safetensors")
    (tmp_path / "out.safetensors").write_bytes(b"older")
    done = command("codecspec", "doctor", tmp_path / "x.safetensors", "--repair", tmp_path / "out.safetensors")
    assert done.code == 1
    assert done.out.splitlines()[-1].endswith("out.safetensors is not written: no spec has exactly these tensors")
    assert (tmp_path / "out.safetensors").read_bytes() == b"older"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.pth"], "E-checkpoint at none.pth"),
        (["x.safetensors", "none.png"], "E-usage at none.png: no such file"),
        (["x.safetensors", "--repair", "no/out.safetensors"], "E-output at no/out.safetensors"),
        (["x.safetensors", "--repair", "x.safetensors"], "E-usage at x.safetensors"),
        (["x.safetensors", "--repair", "out.pth"], "E-output at out.pth: a codec is saved with its spec, in a file"),
        (["x.safetensors", "."], "E-usage at .: no file in this folder ends in .png"),
    ],
)
def test_wrong_input(
    command: Command, checkpoint: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(checkpoint.parent)
    done = command("codecspec", "doctor", *arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.said
