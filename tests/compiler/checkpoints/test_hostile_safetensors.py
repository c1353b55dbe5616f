"""Safetensors headers that lie."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
import torch

import codecspec as cs
from codecspec.compiler.checkpoints import read_manifest, read_metadata, read_tensors
from tests.compiler.checkpoints.written import header_of, safetensors

F32 = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def refused(raw: bytes) -> cs.CheckpointError:
    with pytest.raises(cs.CheckpointError) as caught:
        read_manifest(io.BytesIO(raw))
    assert caught.value.code == "E-checkpoint"
    return caught.value


@pytest.mark.parametrize("length", [3, 100, 1 << 30, 1 << 63, (1 << 64) - 1])
def test_a_header_longer_than_the_file(length: int) -> None:
    raw = length.to_bytes(8, "little") + b"{}"
    assert f"a safetensors header of {length} bytes in a file of 10" in refused(raw).message


def test_a_header_of_many_megabytes() -> None:
    raw = header_of(b"{" + b" " * (3 << 20) + b"}")
    assert "a safetensors header of 3145730 bytes" in refused(raw).message


NOT_JSON = {
    "nothing": b"{",
    "deep": b'{"a":' + b"[" * 100_000,
    "deep, and closed": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "many lists": b'{"a":[' + b"[]," * 600_000 + b"[]]}",
    "no text": b'{"\xff":1}',
    "a number of many digits": b'{"a":' + b"9" * 10_000 + b"}",
    "a list": b'{"a":1}[]',
    "twice": b'{"a":{"dtype":"F32","dtype":"F32"}}',
    "not a number": b'{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,0]}}',
}


@pytest.mark.parametrize("what", NOT_JSON)
def test_a_header_that_is_no_json(what: str) -> None:
    assert refused(header_of(NOT_JSON[what])).message


def test_a_key_twice() -> None:
    raw = header_of(b'{"a":%b,"a":%b}' % ((json.dumps(F32).encode(),) * 2), bytes(8))
    error = refused(raw)
    assert (error.where, error.message) == ("<BytesIO> byte 8", "not a safetensors file: it says a twice")


ENTRIES: dict[str, Any] = {
    "no object": 3,
    "no type": {"shape": [2], "data_offsets": [0, 8]},
    "a type that is not known": {**F32, "dtype": "F33"},
    "a type that is a list": {**F32, "dtype": ["F32"]},
    "no shape": {"dtype": "F32", "data_offsets": [0, 8]},
    "a shape of text": {**F32, "shape": ["2"]},
    "a shape of truth": {**F32, "shape": [True, 2]},
    "a fraction": {**F32, "shape": [2.0]},
    "a negative size": {**F32, "shape": [-2]},
    "two negative sizes": {**F32, "shape": [-1, -2]},
    "a huge size": {**F32, "shape": [1 << 62]},
    "a product that wraps around": {**F32, "shape": [1 << 32, 1 << 32, 2]},
    "thousands of sizes": {**F32, "shape": [10**4000] * 500},
    "another size": {**F32, "shape": [3]},
    "no place": {"dtype": "F32", "shape": [2]},
    "half a place": {**F32, "data_offsets": [0]},
    "a place before the file": {**F32, "data_offsets": [-8, 0]},
    "a place backwards": {**F32, "data_offsets": [8, 0]},
    "a place behind the file": {**F32, "data_offsets": [0, 1 << 62]},
    "a place with a hole before": {**F32, "data_offsets": [4, 12]},
    "a place of thousands of digits": {**F32, "data_offsets": [0, 10**4000]},
}


@pytest.mark.parametrize("what", ENTRIES)
def test_entries_that_lie(what: str) -> None:
    error = refused(header_of({"a": ENTRIES[what]}, bytes(8)))
    assert error.where == "<BytesIO>#a"


def test_tensors_in_each_others_bytes() -> None:
    two = {"a": F32, "b": {**F32, "data_offsets": [4, 12]}}
    error = refused(header_of(two, bytes(12)))
    assert (error.where, error.message) == (
        "<BytesIO>#b",
        "its bytes start at 4, and those of the tensor before it end at 8",
    )


@pytest.mark.parametrize("length", [0, 7, 9, 100])
def test_more_or_less_data_than_tensors(length: int) -> None:
    assert refused(header_of({"a": F32}, bytes(length))).message


@pytest.mark.parametrize("metadata", [[], "x", {"a": 1}, {"a": {"b": "c"}}])
def test_metadata_that_are_none(metadata: Any) -> None:
    if metadata == []:
        metadata = ["a"]
    error = refused(header_of({"__metadata__": metadata, "a": F32}, bytes(8)))
    assert error.where == "<BytesIO>#__metadata__"


def test_every_truncation_is_refused() -> None:
    raw = safetensors({"a": torch.ones(2), "b": torch.ones(3, 1)}, {"k": "v"})
    for length in range(len(raw)):
        assert refused(raw[:length])


def test_a_truncated_file_is_called_so() -> None:
    raw = safetensors({"a": torch.ones(2), "b": torch.ones(300, 1)})
    for missing in (1, 1000):
        assert "truncated" in refused(raw[:-missing]).hint
    assert refused(raw + bytes(4)).hint == ""


def test_tensors_in_another_order_than_their_bytes(tmp_path: Any) -> None:
    header = {"b": {**F32, "data_offsets": [8, 16]}, "__metadata__": {"k": "v"}, "a": F32}
    data = torch.arange(4.0).numpy().tobytes()
    (tmp_path / "x.safetensors").write_bytes(header_of(header, data))
    found = read_tensors(tmp_path / "x.safetensors")
    assert {key: tensor.tolist() for key, tensor in found.items()} == {"b": [2, 3], "a": [0, 1]}
    assert list(found) == ["b", "a"]
    assert read_metadata(tmp_path / "x.safetensors") == {"k": "v"}


def test_a_header_that_puts_its_tensors_anywhere(tmp_path: Any) -> None:
    """Bytes that are not aligned are copied; safetensors' own writer aligns them."""
    raw = header_of(json.dumps({"a": F32}).encode() + b" " * 3, torch.arange(2.0).numpy().tobytes())
    (tmp_path / "x.safetensors").write_bytes(raw)
    assert read_tensors(tmp_path / "x.safetensors")["a"].tolist() == [0, 1]
