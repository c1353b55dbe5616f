"""Checkpoints in several files."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import fsspec
import pytest
import torch

import codecspec as cs
from codecspec.compiler.checkpoints import read_manifest
from tests.compiler.checkpoints.written import safetensors, torch_zip

TENSORS = {f"module.g_a.{i}.weight": torch.full((2, i + 1), float(i)) for i in range(5)}
KEYS = list(TENSORS)
PIECES = {1: KEYS[:2], 2: KEYS[2:3], 3: KEYS[3:]}
WRITERS = {"model-{:05}-of-00003.safetensors": safetensors, "pytorch_model-{:05}-of-00003.bin": torch_zip}


@pytest.fixture(params=WRITERS)
def pieces(request: pytest.FixtureRequest) -> dict[str, bytes]:
    """Three files without an index."""
    write = WRITERS[request.param]
    return {request.param.format(n): write({key: TENSORS[key] for key in keys}) for n, keys in PIECES.items()}


def index_of(pieces: dict[str, bytes], **changed: Any) -> bytes:
    weight_map = {key: name for name, keys in zip(pieces, PIECES.values(), strict=True) for key in keys}
    return json.dumps({"metadata": {"total_size": 120}, "weight_map": weight_map | changed}).encode()


def write(folder: Path, files: dict[str, bytes]) -> None:
    for name, raw in files.items():
        (folder / name).write_bytes(raw)


def require_whole(manifest: Any, format: str, of: str) -> None:
    tensors = manifest.tensors()
    assert list(tensors) == [key.removeprefix("module.") for key in KEYS]
    assert all(torch.equal(tensors[key.removeprefix("module.")], tensor) for key, tensor in TENSORS.items())
    assert manifest.unwrapped == (f"the {of} of 3 files", "the prefix 'module.' of all keys")
    assert manifest.format == format
    assert manifest.values_of("g_a.3.weight").tolist() == TENSORS["module.g_a.3.weight"].tolist()


def test_an_index(tmp_path: Path, pieces: dict[str, bytes]) -> None:
    write(tmp_path, {**pieces, "model.safetensors.index.json": index_of(pieces)})
    require_whole(read_manifest(tmp_path / "model.safetensors.index.json"), "sharded", "index")
    require_whole(read_manifest(tmp_path), "sharded", "index")


def test_an_index_at_a_url(pieces: dict[str, bytes]) -> None:
    for name, raw in {**pieces, "model.safetensors.index.json": index_of(pieces)}.items():
        with fsspec.open(f"memory://shards/{name}", "wb") as file:
            file.write(raw)
    require_whole(read_manifest("memory://shards/model.safetensors.index.json"), "sharded", "index")


def test_a_folder_of_pieces(tmp_path: Path, pieces: dict[str, bytes]) -> None:
    write(tmp_path, {**pieces, "config.json": b"{}", "README.md": b""})
    require_whole(read_manifest(tmp_path), "directory", "folder")


def test_a_folder_with_one_file(tmp_path: Path) -> None:
    write(tmp_path, {"ckpt.pth.tar": torch_zip({"net": TENSORS}), "log.txt": b""})
    manifest = read_manifest(tmp_path)
    assert (manifest.format, manifest.source) == ("zip", str(tmp_path / "ckpt.pth.tar"))
    assert len(manifest) == len(TENSORS)


def refused(source: Any) -> cs.CheckpointError:
    with pytest.raises(cs.CheckpointError) as caught:
        read_manifest(source)
    assert caught.value.code == "E-checkpoint"
    return caught.value


def test_folders_that_are_not_clear(tmp_path: Path, pieces: dict[str, bytes]) -> None:
    assert "it is a directory with no file of weights in it" in refused(tmp_path).message
    write(tmp_path, pieces)
    name = next(iter(pieces))
    (tmp_path / name).unlink()
    assert "of the 3 pieces of a checkpoint, 2 are in this directory" in refused(tmp_path).message
    write(tmp_path, {name: pieces[name], "best.pth": torch_zip(TENSORS)})
    error = refused(tmp_path)
    assert "it is a directory of 4 files, and they are no pieces of one checkpoint: best.pth, " in error.message
    assert error.hint == "name the file that is meant"
    write(tmp_path, {"a.index.json": index_of(pieces), "b.index.json": index_of(pieces)})
    assert "a.index.json, b.index.json" in refused(tmp_path).message


def test_pieces_with_the_same_tensor(tmp_path: Path, pieces: dict[str, bytes]) -> None:
    first, second, _ = pieces
    write(tmp_path, {**pieces, second: pieces[first]})
    error = refused(tmp_path)
    assert error.where == f"{tmp_path / second}#{KEYS[0]}"
    assert error.message == "another piece of the checkpoint has a tensor of this key too"


@pytest.mark.parametrize(
    "name", ["../x.safetensors", "/etc/passwd", "a/b.safetensors", "..", "", "a\\b", "memory://x", "x\0y"]
)
def test_an_index_names_files_beside_it_alone(tmp_path: Path, pieces: dict[str, bytes], name: str) -> None:
    write(tmp_path, {**pieces, "x.index.json": index_of(pieces, extra=name)})
    assert "is no file beside it" in refused(tmp_path / "x.index.json").message


def test_an_index_that_lies(tmp_path: Path, pieces: dict[str, bytes]) -> None:
    first, second, _ = pieces
    index = tmp_path / "x.index.json"
    write(tmp_path, {**pieces, "x.index.json": index_of(pieces, extra=first)})
    error = refused(index)
    assert (error.where, error.message) == (f"{index}#extra", f"{first} has no such tensor")
    write(tmp_path, {"x.index.json": index_of(pieces, **{KEYS[0]: second})})
    error = refused(index)
    assert error.where == f"{index}#{KEYS[0]}"
    assert error.message == f"{second} has no such tensor"
    write(tmp_path, {"x.index.json": index_of(pieces, extra="none.safetensors")})
    assert refused(index).where == str(tmp_path / "none.safetensors")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{",
        b"{}",
        b'{"weight_map": []}',
        b'{"weight_map": {}}',
        b'{"weight_map": {"a": 1}}',
        b'{"weight_map": {"a": "x", "a": "y"}}',
        b" " * (3 << 20),
        json.dumps({"weight_map": {f"a{i}": f"x{i}" for i in range(1001)}}).encode(),
    ],
)
def test_what_is_no_index(tmp_path: Path, raw: bytes) -> None:
    write(tmp_path, {"x.index.json": raw})
    assert refused(tmp_path / "x.index.json").where == str(tmp_path / "x.index.json")


def test_an_index_in_a_file_object(tmp_path: Path, pieces: dict[str, bytes]) -> None:
    file = io.BytesIO(index_of(pieces))
    file.name = "x.index.json"  # type: ignore[attr-defined]
    assert "does not say in which folder its files are" in refused(file).message
