"""`codecspec inspect`: the tensors as a tree, what wraps them, their layout and the spec inside."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import codecspec as cs
from codecspec.compiler.checkpoints import HASH_KEY, SPEC_KEY, write_safetensors
from codecspec.compiler.convert import from_canonical
from codecspec.compiler.layouts import load_layout
from tests.cli.conftest import Command
from tests.runtime.small_codecs import small

TENSORS = {
    **{f"g_a.{i}.weight": torch.zeros(2, 3) for i in (0, 2, 10)},
    "g_a.0.bias": torch.zeros(2).half(),
    "z.bottleneck.quantiles": torch.zeros(4, 1, 3),
    "step": torch.tensor(1),
}


def lines_of(out: str) -> list[str]:
    return [" ".join(line.split()) for line in out.splitlines()]


def test_the_tree(command: Command, tmp_path: Path) -> None:
    torch.save({"net": {f"module.{k}": t for k, t in TENSORS.items()}, "ema": TENSORS}, tmp_path / "x.pth")
    outcome = command("codecspec", "inspect", tmp_path / "x.pth")
    assert outcome.code == 0
    lines = lines_of(outcome.out)
    assert lines.pop(3).startswith("layout ")
    assert lines == [
        f"{tmp_path / 'x.pth'}: zip",
        "unwrapped the wrapper 'net', the first of 2 state dicts (beside it: ema), the prefix 'module.' of all keys",
        "state dicts net, ema (--key NAME)",
        "key tensors elements bytes type and shape",
        "g_a 4 20 76 float32, float16",
        "0 2 8 28 float32, float16",
        "2.weight 1 6 24 float32 [2, 3]",
        "10.weight 1 6 24 float32 [2, 3]",
        "z.bottleneck.quantiles 1 12 48 float32 [4, 1, 3]",
        "step 1 1 8 int64 []",
        "all 6 33 132 float32, float16, int64",
    ]
    said = json.loads(command("codecspec", "inspect", tmp_path / "x.pth", "--json").out)
    assert (said["elements"], said["bytes"]) == (33, 132), "two of float16 and one of int64 beside those of four bytes"


def test_depth_and_key(command: Command, tmp_path: Path) -> None:
    torch.save({"net": TENSORS, "ema": {"a.b.c": torch.zeros(1), "a.b.d": torch.zeros(1)}}, tmp_path / "x.pth")
    shallow = lines_of(command("codecspec", "inspect", tmp_path / "x.pth", "--depth", 1).out)
    assert shallow[-4:-1] == [
        "g_a 4 20 76 float32, float16",
        "z.bottleneck.quantiles 1 12 48 float32 [4, 1, 3]",
        "step 1 1 8 int64 []",
    ]
    ema = lines_of(command("codecspec", "inspect", tmp_path / "x.pth", "--key", "ema").out)
    assert ema[-4:] == ["a.b 2 2 8 float32", "c 1 1 4 float32 [1]", "d 1 1 4 float32 [1]", "all 2 2 8 float32"]
    wrong = command("codecspec", "inspect", tmp_path / "x.pth", "--key", "emma")
    assert wrong.code == 2
    assert "it has no state dict 'emma'; it has: net, ema hint: did you mean 'ema'?" in wrong.said


def test_a_saved_codec(command: Command, tmp_path: Path) -> None:
    codec = small("wacnn")
    cs.save(codec, tmp_path / "x.safetensors")
    out = command("codecspec", "inspect", tmp_path / "x.safetensors").out
    assert f"spec inside name wacnn, hash {codec.spec_hash[:12]}" in lines_of(out)
    assert "metadata format: pt" in lines_of(out)
    said = json.loads(command("codecspec", "inspect", tmp_path / "x.safetensors", "--json").out)
    assert said["spec"] == {"name": "wacnn", "hash": codec.spec_hash[:12]}
    assert said["metadata"] == {"format": "pt"}
    assert said["elements"] == sum(tensor.numel() for tensor in codec.state_dict().values())
    assert said["bytes"] == sum(tensor.numel() * tensor.element_size() for tensor in codec.state_dict().values())
    shapes = {key: [str(t.dtype).removeprefix("torch."), list(t.shape)] for key, t in codec.state_dict().items()}
    assert {key: [info["dtype"], info["shape"]] for key, info in said["tensors"].items()} == shapes


def test_the_layout(command: Command, tmp_path: Path) -> None:
    tensors = from_canonical(small("wacnn").state_dict(), load_layout("authors-wacnn")).tensors
    torch.save(tensors, tmp_path / "x.pth")
    said = json.loads(command("codecspec", "inspect", tmp_path / "x.pth", "--json").out)
    assert {"layout": "authors", "families": ["wacnn"]} in said["layouts"]
    assert "authors (wacnn)" in command("codecspec", "inspect", tmp_path / "x.pth").out


def test_a_spec_inside_that_is_none(command: Command, tmp_path: Path) -> None:
    write_safetensors(TENSORS, tmp_path / "x.safetensors", {SPEC_KEY: "codecspec: 1\nname: [", HASH_KEY: "abc"})
    out = command("codecspec", "inspect", tmp_path / "x.safetensors").out
    assert any(line.startswith("spec inside error ") and line.endswith(", hash abc") for line in lines_of(out))


def test_what_a_terminal_would_obey_is_escaped(command: Command, tmp_path: Path) -> None:
    names = {"\x1b[31mred": torch.zeros(1), "[bold]b[/bold]": torch.zeros(1), "g\n.a": torch.zeros(1)}
    write_safetensors(names, tmp_path / "x.safetensors", {"\x1b[2J": "\x07"})
    out = command("codecspec", "inspect", tmp_path / "x.safetensors").out
    assert "\x1b" not in out
    assert "\x07" not in out
    assert {r"\x1b[31mred", "[bold]b[/bold]", r"g\n.a"} <= {line.split(" ")[0] for line in lines_of(out)}


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"\x80\x02cos\nsystem\n."])
def test_what_is_no_checkpoint(command: Command, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.pth").write_bytes(content)
    outcome = command("codecspec", "inspect", tmp_path / "x.pth")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"E-checkpoint at {tmp_path / 'x.pth'}")
