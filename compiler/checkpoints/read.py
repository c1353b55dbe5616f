"""Reading checkpoints of every format: what tensors there are, and the tensors."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any

from codecspec.compiler.checkpoints.byte_source import ByteSource, open_source
from codecspec.compiler.checkpoints.file_content import read_content, state_dict_in
from codecspec.compiler.checkpoints.manifest import Format, Manifest, TensorInfo
from codecspec.compiler.checkpoints.shards import INDEX_ENDING, files_of_folder, read_index, read_pieces
from codecspec.compiler.checkpoints.state_dicts import StateDict, find_state_dict, without_prefixes
from codecspec.compiler.checkpoints.values import GivenValues, StoredValues

if TYPE_CHECKING:
    from torch import Tensor

CheckpointLike = str | os.PathLike[str] | IO[bytes] | Mapping[str, Any]
GIVEN = "the mapping given"
"""What messages call a checkpoint that is in no file."""


def read_manifest(source: CheckpointLike, *, key: str | None = None) -> Manifest:
    """What tensors a checkpoint has, without torch and without reading any tensor's bytes.

    Args:
        source: a .safetensors, .pth or .pth.tar file, or the index of one in several files, as a path, an fsspec URL or
            a binary file object; a folder with one checkpoint in it; or a mapping of tensors, or of anything else that
            has a shape and a dtype.
        key: which of its state dicts; by default the first of `state_dict`, `model_state_dict`, `model`, `net`, `ema`,
            or the only one.

    Raises:
        CheckpointError: it cannot be read, holds something that is refused, or no state dict.
    """
    if isinstance(source, Mapping):
        return _given(source, key)
    if isinstance(source, (str, os.PathLike)) and os.path.isdir(source):
        return _from_folder(os.fspath(source), key)
    opened = open_source(source)
    try:
        return _from_file(opened, key)
    finally:
        opened.close()


def read_tensors(source: CheckpointLike, key: str | None = None) -> dict[str, Tensor]:
    """The tensors that `read_manifest` lists, from local files memory-mapped.

    Raises:
        CheckpointError: it cannot be read, holds something that is refused, or no state dict.
    """
    return read_manifest(source, key=key).tensors()


def read_metadata(path: str | os.PathLike[str]) -> Mapping[str, str]:
    """What a safetensors file says beside its tensors; empty for any other file."""
    source = open_source(path)
    try:
        return read_content(source).metadata
    finally:
        source.close()


def _from_file(source: ByteSource, key: str | None) -> Manifest:
    if source.name.endswith(INDEX_ENDING):
        return _stored(read_index(source, key), source.name, "sharded")
    content = read_content(source)
    return _stored(state_dict_in(content, source.name, key), source.name, content.format, content.metadata)


def _from_folder(folder: str, key: str | None) -> Manifest:
    paths = files_of_folder(folder)
    if len(paths) == 1:
        return read_manifest(paths[0], key=key)
    return _stored(read_pieces(paths, key), folder, "directory")


def _stored(found: StateDict, name: str, format: Format, metadata: Mapping[str, str] | None = None) -> Manifest:
    """The manifest of a state dict out of files."""
    entries, prefixes = without_prefixes(found.entries)
    infos = {key: TensorInfo(tensor.dtype, tensor.shape) for key, tensor in entries.items()}
    values = StoredValues(entries)
    return Manifest(infos, values, name, format, (*found.unwrapped, *prefixes), found.names, metadata)


def _given(tensors: Mapping[str, Any], key: str | None) -> Manifest:
    """The manifest of a mapping in memory."""
    found = find_state_dict(tensors, lambda value: hasattr(value, "shape") and hasattr(value, "dtype"), GIVEN, key)
    entries, prefixes = without_prefixes(found.entries)
    infos = {name: _info(tensor) for name, tensor in entries.items()}
    values = GivenValues(entries, GIVEN)
    return Manifest(infos, values, GIVEN, "mapping", (*found.unwrapped, *prefixes), found.names)


def _info(tensor: Any) -> TensorInfo:
    return TensorInfo(str(tensor.dtype).removeprefix("torch."), tuple(map(int, tensor.shape)))
