"""The header of a safetensors file: its length in 8 bytes, then JSON of every tensor's name, type, shape and place."""

from __future__ import annotations

import sys
from typing import Any

from codecspec.compiler.checkpoints.byte_source import ByteSource
from codecspec.compiler.checkpoints.damaged import DamagedError, printable
from codecspec.compiler.checkpoints.dtypes import ITEM_BYTES, OF_SAFETENSORS
from codecspec.compiler.checkpoints.stored_tensors import (
    MAX_DIMENSIONS,
    Storage,
    StorageSpace,
    StoredTensor,
    checked_view,
    contiguous,
)
from codecspec.compiler.checkpoints.strict_json import MAX_JSON_BYTES, read_json_object
from codecspec.schema.errors import CheckpointError, listed

METADATA = "__metadata__"
TRUNCATED = "the file is truncated, as where a download or a copy was broken off: get it again"


def read_header(source: ByteSource) -> tuple[dict[str, StoredTensor], dict[str, str]]:
    """The tensors and the metadata of a safetensors file.

    Raises:
        CheckpointError: the header is damaged, or its tensors are not what the file holds.
        DamagedError: it is no such file; the message says why.
    """
    if source.size < 8:
        raise DamagedError("a file of fewer than 8 bytes")
    length = int.from_bytes(source.read(0, 8), "little")
    if length > min(source.size - 8, MAX_JSON_BYTES):
        raise DamagedError(f"a safetensors header of {length} bytes in a file of {source.size}")
    header = _header(source.read(8, length), source.name)
    metadata = header.pop(METADATA, None) or {}
    if type(metadata) is not dict or not all(type(value) is str for value in metadata.values()):
        raise CheckpointError("E-checkpoint", f"{source.name}#{METADATA}", "it is no mapping of text to text")
    placed = sorted(((_place(source, key, entry), key, entry) for key, entry in header.items()), key=lambda e: e[0])
    space = HeaderStorages(source)
    end = 0
    found: dict[str, StoredTensor] = {}
    for (begin, until), key, entry in placed:
        if begin != end:
            message = f"its bytes start at {begin}, and those of the tensor before it end at {end}"
            raise CheckpointError("E-checkpoint", f"{source.name}#{printable(key)}", message)
        space.starts[key] = 8 + length + begin
        try:
            found[key] = _tensor(space, key, entry, until - begin)
        except DamagedError as error:
            raise CheckpointError("E-checkpoint", f"{source.name}#{printable(key)}", str(error)) from error
        end = until
    if 8 + length + end != source.size:
        there = source.size - 8 - length
        message = f"not a safetensors file: its tensors take {end} bytes, and {there} are there"
        raise CheckpointError("E-checkpoint", f"{source.name} byte {8 + length}", message, TRUNCATED * (there < end))
    return {key: found[key] for key in header}, metadata


def _header(raw: bytes, name: str) -> dict[str, Any]:
    try:
        return read_json_object(raw)
    except DamagedError as error:
        raise CheckpointError("E-checkpoint", f"{name} byte 8", f"not a safetensors file: {error}") from error


def _place(source: ByteSource, key: str, entry: Any) -> tuple[int, int]:
    """Where a tensor's bytes are, counted from the end of the header."""
    place = entry.get("data_offsets") if type(entry) is dict else None
    if type(place) is list and len(place) == 2 and all(type(offset) is int for offset in place):
        begin, end = place
        if 0 <= begin <= end <= source.size:
            return begin, end
        if 0 <= begin <= end < 1 << 63:
            message = f"its bytes end at {end} of those behind the header, and the whole file has {source.size}"
            raise CheckpointError("E-checkpoint", f"{source.name}#{printable(key)}", message, TRUNCATED)
    message = "it has no data_offsets that are a place in the file"
    raise CheckpointError("E-checkpoint", f"{source.name}#{printable(key)}", message)


def _tensor(space: HeaderStorages, key: str, entry: dict[str, Any], nbytes: int) -> StoredTensor:
    said, shape = entry.get("dtype"), entry.get("shape")
    dtype = OF_SAFETENSORS.get(said) if type(said) is str else None
    if dtype is None:
        what = printable(said) if type(said) is str else "none"
        raise DamagedError(f"of the type {what}; known are: {listed(OF_SAFETENSORS)}")
    if type(shape) is not list or len(shape) > MAX_DIMENSIONS or not all(type(size) is int for size in shape):
        raise DamagedError(f"its shape is no list of at most {MAX_DIMENSIONS} whole numbers")
    sizes = tuple(shape)
    tensor = checked_view(Storage(space, key, dtype, nbytes), dtype, sizes, contiguous(sizes), 0)
    if tensor.nbytes != nbytes:
        raise DamagedError(f"it needs {tensor.nbytes} bytes ({ITEM_BYTES[dtype]} a number), and has {nbytes}")
    return tensor


class HeaderStorages(StorageSpace):
    """The bytes of each tensor, where the header says they are."""

    def __init__(self, source: ByteSource) -> None:
        super().__init__(source, sys.byteorder != "little")
        self.starts: dict[str, int] = {}

    def start_of(self, key: str) -> int:
        return self.starts[key]
