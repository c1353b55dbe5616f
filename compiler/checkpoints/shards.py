"""Checkpoints in several files: an index that says which file has which tensor, or a folder of numbered pieces."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from codecspec.compiler.checkpoints.byte_source import ByteSource, open_source
from codecspec.compiler.checkpoints.damaged import DamagedError, printable
from codecspec.compiler.checkpoints.file_content import read_content, state_dict_in
from codecspec.compiler.checkpoints.state_dicts import StateDict
from codecspec.compiler.checkpoints.strict_json import MAX_JSON_BYTES, read_json_object
from codecspec.schema.errors import CheckpointError, listed

INDEX_ENDING = ".index.json"
ENDINGS = (".safetensors", ".pth", ".pt", ".bin", ".pth.tar", ".ckpt")
"""What files of weights are called, among the others of a folder."""
MAX_FILES = 1000
_PIECE = re.compile(r"(?P<stem>.+)-(?P<number>\d{1,5})-of-(?P<count>\d{1,5})(?P<ending>\.[a-z.]+)")


def read_index(source: ByteSource, key: str | None) -> StateDict:
    """The tensors that an index lists, each from its file beside the index.

    Args:
        source: the index.
        key: which state dict of each file; see `read_manifest`.

    Raises:
        CheckpointError: the index is damaged, or its files hold other tensors than it says.
    """
    file_of = _weight_map(source)
    pieces = {file: _read_piece(_beside(source, file), key) for file in dict.fromkeys(file_of.values())}
    for file, piece in pieces.items():
        listed_here = {name for name, where in file_of.items() if where == file}
        for name in sorted(listed_here ^ piece.entries.keys()):
            has = "has this tensor, and the index does not say so" if name in piece.entries else "has no such tensor"
            raise CheckpointError("E-checkpoint", f"{source.name}#{printable(name)}", f"{printable(file)} {has}")
    entries = {name: pieces[file].entries[name] for name, file in file_of.items()}
    return StateDict(entries, _words(pieces.values(), "the index"), ())


def read_pieces(paths: list[str], key: str | None) -> StateDict:
    """The tensors of all files together.

    Raises:
        CheckpointError: one cannot be read, or two hold a tensor of the same key.
    """
    pieces = {path: _read_piece(path, key) for path in paths}
    entries: dict[str, object] = {}
    for path, piece in pieces.items():
        for name, tensor in piece.entries.items():
            if name in entries:
                message = "another piece of the checkpoint has a tensor of this key too"
                raise CheckpointError("E-checkpoint", f"{path}#{printable(name)}", message)
            entries[name] = tensor
    return StateDict(entries, _words(pieces.values(), "the folder"), ())


def files_of_folder(folder: str) -> list[str]:
    """The paths of the one checkpoint in a folder: its index, its only file of weights, or its numbered pieces.

    Raises:
        CheckpointError: there is none, a piece is missing, or there are several.
    """
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        message = f"it is a directory that cannot be read: {error.strerror}"
        raise CheckpointError("E-checkpoint", folder, message) from error
    found = [name for name in names if name.endswith(INDEX_ENDING)] or [n for n in names if n.endswith(ENDINGS)]
    if not found:
        message = f"it is a directory with no file of weights in it ({listed(ENDINGS)})"
        raise CheckpointError("E-checkpoint", folder, message)
    if len(found) > 1:
        _require_pieces(folder, found)
    return [os.path.join(folder, name) for name in found]


def _require_pieces(folder: str, names: list[str]) -> None:
    """Refuse several files that are not the numbered pieces of one checkpoint, all of them."""
    parts = [_PIECE.fullmatch(name) for name in names]
    kinds = {(part["stem"], int(part["count"]), part["ending"]) if part else None for part in parts}
    if None in kinds or len(kinds) != 1 or len(names) > MAX_FILES:
        said = listed([*map(printable, names[:8]), *([".."] if len(names) > 8 else [])])
        message = f"it is a directory of {len(names)} files, and they are no pieces of one checkpoint: {said}"
        raise CheckpointError("E-checkpoint", folder, message, "name the file that is meant")
    numbers = {int(part["number"]) for part in parts if part}
    count = int(parts[0]["count"]) if parts[0] else 0
    if numbers not in (set(range(1, count + 1)), set(range(count))):
        message = f"of the {count} pieces of a checkpoint, {len(numbers)} are in this directory"
        raise CheckpointError("E-checkpoint", folder, message)


def _weight_map(index: ByteSource) -> dict[str, str]:
    """Key -> name of its file."""
    try:
        if index.size > MAX_JSON_BYTES:
            raise DamagedError(f"of {index.size:,} bytes, and no more than {MAX_JSON_BYTES:,} are read")
        found = read_json_object(index.read(0, index.size)).get("weight_map")
        if type(found) is not dict or not found or not all(type(file) is str for file in found.values()):
            raise DamagedError("it has no weight_map from keys to names of files")
    except DamagedError as error:
        raise CheckpointError("E-checkpoint", index.name, f"not an index of a checkpoint: {error}") from error
    files = set(found.values())
    outside = next((file for file in files if file in ("", ".", "..") or set(file) & set("/\\:\0")), None)
    if outside is not None or len(files) > MAX_FILES:
        message = (
            f"it names {len(files):,} files" if outside is None else f"'{printable(outside)}' is no file beside it"
        )
        raise CheckpointError("E-checkpoint", index.name, message)
    return found


def _beside(index: ByteSource, name: str) -> str:
    """The path or URL of a file in the same folder as the index."""
    if index.location is None:
        message = "an index in a file object does not say in which folder its files are"
        raise CheckpointError("E-checkpoint", index.name, message, "give its path or URL")
    return index.location[: len(index.location) - len(os.path.basename(index.location))] + name


def _read_piece(path: str, key: str | None) -> StateDict:
    source = open_source(path)
    try:
        return state_dict_in(read_content(source), source.name, key)
    finally:
        source.close()


def _words(pieces: Iterable[StateDict], of: str) -> tuple[str, ...]:
    """What was taken off the pieces, each said once."""
    pieces = list(pieces)
    words = dict.fromkeys(word for piece in pieces for word in piece.unwrapped)
    return (f"{of} of {len(pieces)} files", *words)
