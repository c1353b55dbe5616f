"""Files of weights: every wrapper is opened, nothing in them is run, and what is written is whole or not there."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

import codecspec as cs
from codecspec.compiler.checkpoints import (
    HASH_KEY,
    SPEC_KEY,
    read_manifest,
    read_metadata,
    read_tensors,
    write_safetensors,
)
from codecspec.compiler.convert import from_canonical
from codecspec.compiler.layouts import load_layout
from tests.runtime.small_codecs import SMALL, images, small

STATE = {"a.weight": torch.arange(6.0).view(2, 3), "b": torch.tensor([1, 2], dtype=torch.int32)}


def same(found: dict[str, torch.Tensor]) -> bool:
    return found.keys() == STATE.keys() and all(torch.equal(found[key], tensor) for key, tensor in STATE.items())


@pytest.mark.parametrize(
    "content",
    [
        STATE,
        {"state_dict": STATE, "epoch": 3, "loss": 0.5},
        {"model": STATE, "optimizer": {"state": {}, "param_groups": [{"lr": 1e-4}]}},
        {"net": {"state_dict": STATE}},
        {"model_state_dict": STATE},
        {"ema": STATE},
        {f"module.{key}": tensor for key, tensor in STATE.items()},
        {"state_dict": {f"module.{key}": tensor for key, tensor in STATE.items()}},
    ],
)
@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_wrapped_state_dicts(tmp_path: Path, content: Any, legacy: bool) -> None:
    path = tmp_path / "ckpt.pth.tar"
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    assert same(read_tensors(path))


def test_a_prefix_is_stripped_at_the_start_of_all_keys_only(tmp_path: Path) -> None:
    content = {"module.a": torch.zeros(1), "b.module.c": torch.zeros(1)}
    torch.save(content, tmp_path / "x.pth")
    assert read_tensors(tmp_path / "x.pth").keys() == content.keys()
    torch.save({"module.b.module.c": torch.zeros(1)}, tmp_path / "y.pth")
    assert list(read_tensors(tmp_path / "y.pth")) == ["b.module.c"]


def test_safetensors_and_their_metadata(tmp_path: Path) -> None:
    write_safetensors(STATE, tmp_path / "x.safetensors", {"k": "v"})
    assert same(read_tensors(tmp_path / "x.safetensors"))
    assert read_metadata(tmp_path / "x.safetensors") == {"k": "v"}


@pytest.mark.parametrize("length", range(200, 900, 8))
def test_a_header_of_any_length(tmp_path: Path, length: int) -> None:
    """Its first byte may be that of a pickle."""
    write_safetensors(STATE, tmp_path / "x.safetensors", {"k": "v" * length})
    assert same(read_tensors(tmp_path / "x.safetensors"))


def test_shared_tensors_are_written_each(tmp_path: Path) -> None:
    one = torch.ones(4)
    write_safetensors({"a": one, "b": one, "c": one[:2]}, tmp_path / "x.safetensors", {})
    found = read_tensors(tmp_path / "x.safetensors")
    assert torch.equal(found["a"], found["b"])
    assert torch.equal(found["c"], torch.ones(2))


class Evil:
    def __reduce__(self) -> Any:
        return os.system, ("touch /tmp/codecspec-was-here",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps(Evil(), protocol=2), "it names posix.system, which no state dict needs; nothing in it was run"),
        (pickle.dumps(Evil(), protocol=4), "it names posix.system, which no state dict needs; nothing in it was run"),
        (b"", "cannot be read as a checkpoint: truncated, damaged or of another format"),
        (b"PK\x03\x04garbage", "cannot be read as a checkpoint: truncated, damaged or of another format"),
        (
            b"not a checkpoint at all, just text",
            "cannot be read as a checkpoint: truncated, damaged or of another format",
        ),
        (
            (1 << 40).to_bytes(8, "little") + b"{}",
            "cannot be read as a checkpoint: truncated, damaged or of another format",
        ),
        ((2).to_bytes(8, "little") + b"{}" + b"x" * 10, "not a safetensors file|holds"),
    ],
)
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "evil.pth"
    path.write_bytes(content)
    with pytest.raises(cs.CheckpointError, match=message) as caught:
        read_tensors(path)
    assert caught.value.code == "E-checkpoint"
    assert not Path("/tmp/codecspec-was-here").exists()


def test_a_pickle_that_would_run_code_inside_a_zip_is_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": STATE, "evil": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(cs.CheckpointError, match="it names posix.system, which no state dict needs"):
        read_tensors(tmp_path / "evil.pth")
    assert not Path("/tmp/codecspec-was-here").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "holds a list"),
        ({"epoch": 1}, "these entries are no tensors: epoch"),
        ({"a": torch.zeros(1), "lr": 0.1}, "these entries are no tensors: lr"),
        ({}, "holds a dict"),
    ],
)
def test_a_file_without_a_state_dict_says_what_it_holds(tmp_path: Path, content: Any, message: str) -> None:
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(cs.CheckpointError, match=message):
        read_tensors(tmp_path / "x.pth")


def test_no_file_and_a_directory(tmp_path: Path) -> None:
    with pytest.raises(cs.CheckpointError, match="no such file"):
        read_tensors(tmp_path / "nope.pth")
    with pytest.raises(cs.CheckpointError, match="it is a directory"):
        read_tensors(tmp_path)


def test_nothing_is_left_where_writing_fails(tmp_path: Path) -> None:
    (tmp_path / "taken.safetensors").mkdir()
    with pytest.raises(cs.UsageError, match="it is a directory"):
        write_safetensors(STATE, tmp_path / "taken.safetensors", {})
    with pytest.raises(cs.UsageError, match="cannot be written"):
        write_safetensors(STATE, tmp_path / "no" / "folder.safetensors", {})
    assert [path.name for path in tmp_path.iterdir()] == ["taken.safetensors"]


def test_weights_of_a_checkpoint_reach_the_codec(tmp_path: Path) -> None:
    source = small("wacnn")
    torch.save({"state_dict": from_canonical(source.state_dict(), load_layout("authors-wacnn")).tensors},
               tmp_path / "ckpt.pth.tar")  # fmt: skip
    spec = cs.load_spec("wacnn", **SMALL["wacnn"])
    codec, conversion = cs.load_weights(spec, tmp_path / "ckpt.pth.tar")
    assert conversion.layout == "authors"
    x = images(1, 64, 64)
    with torch.no_grad():
        assert torch.equal(codec(x)["x_hat"], source(x)["x_hat"])


def test_half_precision_weights_become_the_codecs_type(tmp_path: Path) -> None:
    source = small("mbt2018-mean")
    halved = {key: t.half() if t.is_floating_point() else t for key, t in source.state_dict().items()}
    torch.save(halved, tmp_path / "half.pth")
    codec, _ = cs.load_weights(cs.load_spec("mbt2018-mean", **SMALL["mbt2018-mean"]), tmp_path / "half.pth")
    assert {p.dtype for p in codec.parameters()} == {torch.float32}


def test_a_saved_codec_whose_spec_was_changed_is_refused(tmp_path: Path) -> None:
    codec = small("mbt2018-mean")
    path = tmp_path / "x.safetensors"
    cs.save(codec, path)
    metadata = read_metadata(path)
    assert metadata[HASH_KEY] == codec.spec_hash
    changed = metadata[SPEC_KEY].replace("kernel: 5", "kernel: 3", 1)
    assert changed != metadata[SPEC_KEY]
    write_safetensors(codec.state_dict(), path, {**metadata, SPEC_KEY: changed})
    with pytest.raises(cs.CheckpointError, match="the spec inside has the hash"):
        cs.load(path)
    plan = cs.lower(cs.parse_spec(changed))
    write_safetensors(codec.state_dict(), path, {SPEC_KEY: changed, HASH_KEY: cs.spec_hash(plan.spec)})
    with pytest.raises(cs.CheckpointError, match=r"of shape \[12, 3, 5, 5\], and the model needs \[12, 3, 3, 3\]"):
        cs.load(path)


def test_a_spec_inside_a_file_names_no_other_file(tmp_path: Path) -> None:
    text = "codecspec: 1\nextends: /etc/passwd\nname: x\n"
    write_safetensors(STATE, tmp_path / "x.safetensors", {SPEC_KEY: text, HASH_KEY: ""})
    with pytest.raises(cs.SchemaError, match="stands by itself") as caught:
        cs.load(tmp_path / "x.safetensors")
    assert caught.value.where == f"{tmp_path / 'x.safetensors'}#spec:2:1"


def test_a_file_of_no_model_says_so(tmp_path: Path) -> None:
    write_safetensors(STATE, tmp_path / "x.safetensors", {})
    with pytest.raises(cs.CheckpointError, match="no spec has exactly these tensors") as caught:
        cs.load(tmp_path / "x.safetensors")
    assert caught.value.code == "E-infer"


@pytest.mark.parametrize("first", [0x80, 0x50])
def test_a_header_whose_length_begins_as_another_format_does(first: int, tmp_path: Path) -> None:
    for padding in range(256):
        write_safetensors(STATE, tmp_path / "x.safetensors", {"x": "." * padding})
        if (tmp_path / "x.safetensors").read_bytes()[0] == first:
            break
    assert (tmp_path / "x.safetensors").read_bytes()[0] == first
    assert read_manifest(tmp_path / "x.safetensors").format == "safetensors"


def test_the_spec_in_a_file_is_text_that_loads(tmp_path: Path) -> None:
    codec = small("wacnn")
    cs.save(codec, tmp_path / "x.safetensors")
    with (tmp_path / "x.safetensors").open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    spec = cs.parse_spec(header["__metadata__"][SPEC_KEY])
    assert cs.spec_hash(cs.lower(spec).spec) == codec.spec_hash


def test_a_written_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_safetensors(STATE, tmp_path / "x.safetensors", {})
    assert (tmp_path / "x.safetensors").stat().st_mode == (tmp_path / "plain").stat().st_mode
