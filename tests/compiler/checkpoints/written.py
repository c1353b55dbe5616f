"""Checkpoints as bytes: what torch writes, and what nobody but an attacker does."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Mapping
from typing import Any

import torch
from safetensors.torch import save

MAGIC = [0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}]


def torch_zip(content: Any, protocol: int = 2) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, pickle_protocol=protocol)
    return file.getvalue()


def torch_legacy(content: Any, protocol: int = 2) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, pickle_protocol=protocol, _use_new_zipfile_serialization=False)
    return file.getvalue()


def safetensors(tensors: Mapping[str, torch.Tensor], metadata: dict[str, str] | None = None) -> bytes:
    return bytes(save(dict(tensors), metadata))


def members_of(raw: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def zip_of(members: Mapping[str, bytes] | list[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> bytes:
    """A zip file by Python's own writer."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, raw in members.items() if isinstance(members, Mapping) else members:
            archive.writestr(name, raw)
    return file.getvalue()


def zip_with_pickle(opcodes: bytes, **storages: bytes) -> bytes:
    """A zip `.pth` of this data.pkl."""
    data = {f"x/data/{name}": raw for name, raw in storages.items()}
    return zip_of({"x/data.pkl": opcodes, "x/version": b"3\n", **data})


def legacy_with_pickle(opcodes: bytes, *storages: tuple[str, bytes]) -> bytes:
    """A stream of pickles with this one as its object, and these storages of four bytes a number behind it."""
    start = b"".join(pickle.dumps(part, protocol=2) for part in MAGIC)
    data = b"".join((len(raw) // 4).to_bytes(8, "little") + raw for _, raw in storages)
    return start + opcodes + pickle.dumps([key for key, _ in storages], protocol=2) + data


def header_of(entries: Any, data: bytes = b"") -> bytes:
    """A safetensors file of this header."""
    raw = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return len(raw).to_bytes(8, "little") + raw + data


def text(value: str) -> bytes:
    """The opcode that pushes a text."""
    raw = value.encode()
    return b"X" + len(raw).to_bytes(4, "little") + raw


def number(value: int) -> bytes:
    """The opcode that pushes a whole number of any size."""
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def tensor_opcodes(
    numel: int = 4, offset: int = 0, shape: tuple[int, ...] = (4,), strides: tuple[int, ...] = (1,), key: str = "0"
) -> bytes:
    """The opcodes of one float32 tensor of the storage `key`."""
    storage = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(key) + text("cpu") + number(numel) + b"tQ"
    sizes = b"(" + b"".join(map(number, shape)) + b"t"
    steps = b"(" + b"".join(map(number, strides)) + b"t"
    hooks = b"ccollections\nOrderedDict\n)R"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + number(offset) + sizes + steps + b"\x89" + hooks + b"tR"


def one_tensor(**what: Any) -> bytes:
    """The pickle of a state dict with one tensor, `a`; see `tensor_opcodes`."""
    return b"\x80\x02}" + text("a") + tensor_opcodes(**what) + b"s."
