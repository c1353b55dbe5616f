"""What is in a file of any one format: objects that may be a state dict, or hold some."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from codecspec.compiler.checkpoints.byte_source import ByteSource
from codecspec.compiler.checkpoints.damaged import DamagedError
from codecspec.compiler.checkpoints.manifest import Format
from codecspec.compiler.checkpoints.safetensors_header import read_header
from codecspec.compiler.checkpoints.state_dicts import StateDict, find_state_dict
from codecspec.compiler.checkpoints.stored_tensors import StoredTensor
from codecspec.compiler.checkpoints.torch_files import read_legacy, read_zip
from codecspec.schema.errors import CheckpointError


@dataclass(frozen=True, slots=True)
class FileContent:
    """What a file holds.

    Args:
        content: a mapping of `StoredTensor`s, something that holds some, or anything else.
        format: how it was written.
        metadata: of a safetensors file.
    """

    content: object
    format: Format
    metadata: Mapping[str, str] = field(default_factory=dict)


def read_content(source: ByteSource) -> FileContent:
    """What a file holds; no tensor's bytes are read.

    Raises:
        CheckpointError: it is no checkpoint, is damaged, or holds something that is refused.
    """
    try:
        return _by_its_start(source)
    except DamagedError as error:
        message = f"it cannot be read as a checkpoint: truncated, damaged or of another format ({error})"
        raise CheckpointError("E-checkpoint", source.name, message) from error


def _by_its_start(source: ByteSource) -> FileContent:
    start = source.read(0, min(9, source.size))
    if start[8:] == b"{":  # before the others: its first bytes are a length, which may look like one of them
        return FileContent(*_safetensors(source))
    if start.startswith(b"PK\3\4"):
        return FileContent(read_zip(source), "zip")
    if start.startswith(b"\x80"):
        return FileContent(read_legacy(source), "legacy")
    raise DamagedError("it starts like no format that is known" if start else "it is empty")


def _safetensors(source: ByteSource) -> tuple[object, Format, Mapping[str, str]]:
    tensors, metadata = read_header(source)
    return tensors, "safetensors", metadata


def state_dict_in(content: FileContent, name: str, key: str | None) -> StateDict:
    """The state dict of a file, with `StoredTensor`s as entries; see `find_state_dict`."""
    return find_state_dict(content.content, lambda value: type(value) is StoredTensor, name, key)
