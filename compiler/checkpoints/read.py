"""Reading checkpoints of every format: what tensors there are, and the tensors."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any

from codecspec.compiler.checkpoints.byte_source import ByteSource, open_source
from codecspec.compiler.checkpoints.manifest import Format, Manifest, TensorInfo
from codecspec.compiler.checkpoints.safetensors_header import read_header
from codecspec.compiler.checkpoints.state_dicts import StateDict, find_state_dict, without_prefixes
from codecspec.compiler.checkpoints.stored_tensors import StoredTensor
from codecspec.compiler.checkpoints.torch_files import read_legacy, read_zip
from codecspec.compiler.checkpoints.values import GivenValues, StoredValues
from codecspec.schema.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

CheckpointLike = str | os.PathLike[str] | IO[bytes] | Mapping[str, Any]


def read_manifest(source: CheckpointLike, *, key: str | None = None) -> Manifest:
    """What tensors a checkpoint has, without torch and without reading any tensor's bytes.

    Args:
        source: a .safetensors, .pth or .pth.tar file, as a path, an fsspec URL or a binary file object; or a mapping of
            tensors, or of anything else that has a shape and a dtype.
        key: which of its state dicts; by default the first of `state_dict`, `model_state_dict`, `model`, `net`, `ema`.

    Raises:
        CheckpointError: it cannot be read, holds something that is refused, or no state dict.
    """
    if isinstance(source, Mapping):
        return _given(source, key)
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


def read_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """The metadata of a safetensors file; empty for any other file."""
    if not os.path.isfile(path):
        return {}
    source = open_source(path)
    try:
        return read_header(source)[1] if _is_safetensors(source) else {}
    except ValueError as error:
        raise _unreadable(source, error) from error
    finally:
        source.close()


def _from_file(source: ByteSource, key: str | None) -> Manifest:
    try:
        content, format, metadata = _content(source)
    except ValueError as error:
        raise _unreadable(source, error) from error
    found = find_state_dict(content, _is_stored, source.name, key)
    return manifest_of(found, source.name, format, metadata)


def manifest_of(found: StateDict, name: str, format: Format, metadata: Mapping[str, str]) -> Manifest:
    """The manifest of a state dict out of a file."""
    entries, prefixes = without_prefixes(found.entries)
    infos = {key: TensorInfo(tensor.dtype, tensor.shape) for key, tensor in entries.items()}
    return Manifest(
        infos,
        StoredValues(entries),
        source=name,
        format=format,
        unwrapped=(*found.unwrapped, *prefixes),
        state_dicts=found.names,
        metadata=metadata,
    )


def _content(source: ByteSource) -> tuple[object, Format, dict[str, str]]:
    """What is in a file of any format."""
    start = source.read(0, min(9, source.size))
    if start[:4] == b"PK\3\4":
        return read_zip(source), "zip", {}
    if start[:1] == b"\x80":
        return read_legacy(source), "legacy", {}
    if start[8:] == b"{":
        tensors, metadata = read_header(source)
        return tensors, "safetensors", metadata
    raise ValueError("it starts like no format that is known")


def _is_safetensors(source: ByteSource) -> bool:
    return source.size > 8 and source.read(8, 1) == b"{"


def _is_stored(value: object) -> bool:
    return type(value) is StoredTensor


def _unreadable(source: ByteSource, error: ValueError) -> CheckpointError:
    message = f"it cannot be read as a checkpoint: truncated, damaged or of another format ({error})"
    return CheckpointError("E-checkpoint", source.name, message)


def _given(tensors: Mapping[str, Any], key: str | None) -> Manifest:
    """The manifest of a mapping in memory."""
    found = find_state_dict(tensors, _has_shape, GIVEN, key)
    entries, prefixes = without_prefixes(found.entries)
    infos = {
        name: TensorInfo(str(t.dtype).removeprefix("torch."), tuple(map(int, t.shape))) for name, t in entries.items()
    }
    return Manifest(
        infos,
        GivenValues(entries, GIVEN),
        source=GIVEN,
        format="mapping",
        unwrapped=(*found.unwrapped, *prefixes),
        state_dicts=found.names,
    )


GIVEN = "the mapping given"


def _has_shape(value: object) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype")
