"""What `torch.save` writes, today's zip files and the older streams of pickles: the objects in it, read as data."""

from __future__ import annotations

import sys
from typing import Any

from codecspec.compiler.checkpoints.byte_source import ByteSource
from codecspec.compiler.checkpoints.damaged import DamagedError, printable
from codecspec.compiler.checkpoints.dtypes import ITEM_BYTES
from codecspec.compiler.checkpoints.pickle_machine import PickleMachine
from codecspec.compiler.checkpoints.pickle_names import NAMES
from codecspec.compiler.checkpoints.pickle_opcodes import Name, PickleEndsError
from codecspec.compiler.checkpoints.stored_tensors import MAX_ELEMENTS, Storage, StorageSpace
from codecspec.compiler.checkpoints.zip_directory import Member, data_start, read_directory
from codecspec.schema.errors import CheckpointError

MAX_PICKLE_BYTES = 16 << 20
"""Some 100 bytes describe a tensor; what is larger holds something else."""
FIRST_BYTES = 1 << 18
"""What is read first of a stream whose pickles say nowhere how long they are."""
MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001


def read_zip(source: ByteSource) -> object:
    """The object in a zip `.pth`: its directory and its `data.pkl` are read, and no tensor's bytes.

    Raises:
        CheckpointError: it is damaged or holds something that is refused.
        DamagedError: it is no such file; the message says why.
    """
    members = read_directory(source)
    found = [name for name in members if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(found) != 1:
        raise DamagedError(f"a zip file with {len(found)} data.pkl in its folders")
    folder = found[0].removesuffix("data.pkl")
    pickle = _member_bytes(source, found[0], members[found[0]], MAX_PICKLE_BYTES)
    swapped = _byteorder(source, members, f"{folder}byteorder") != sys.byteorder
    storages = ZipStorages(source, members, f"{folder}data/", swapped)
    machine = PickleMachine(pickle, f"{source.name} data.pkl", NAMES, storages.storage)
    try:
        return machine.load()
    except PickleEndsError as error:
        where = f"{source.name} data.pkl byte {machine.position}"
        raise CheckpointError("E-checkpoint", where, "it ends before its pickle does") from error


def _member_bytes(source: ByteSource, name: str, member: Member, most: int) -> bytes:
    if member.nbytes > most:
        raise DamagedError(f"its {printable(name)} has {member.nbytes:,} bytes, and no more than {most:,} are read")
    return source.read(data_start(source, name, member), member.nbytes)


def _byteorder(source: ByteSource, members: dict[str, Member], name: str) -> str:
    """The order of the bytes in its numbers; files without a word on it are little-endian."""
    if name not in members:
        return "little"
    order = _member_bytes(source, name, members[name], 16).decode("latin-1")
    if order not in ("little", "big"):
        raise DamagedError(f"its bytes are in the order '{printable(order)}'")
    return order


class ZipStorages(StorageSpace):
    """The storages of a zip file, each a member of its own."""

    def __init__(self, source: ByteSource, members: dict[str, Member], folder: str, swapped: bool) -> None:
        super().__init__(source, swapped)
        self._members = members
        self._folder = folder
        self._storages: dict[str, Storage] = {}

    def storage(self, identity: object) -> Storage:
        """What the persistent id `('storage', type, key, location, numel)` stands for."""
        dtype, key, nbytes, _ = storage_identity(identity)
        storage = self._storages.get(key)
        if storage is None:
            member = self._members.get(self._folder + key)
            if member is None:
                raise DamagedError(f"a tensor in it is of the storage {printable(key)}, which the file has not")
            if member.nbytes < nbytes:
                message = f"its storage {printable(key)} should be of {nbytes} bytes, and is of {member.nbytes}"
                raise DamagedError(message)
            storage = self._storages[key] = Storage(self, key, dtype, nbytes)
        return same_storage(storage, dtype, nbytes)

    def start_of(self, key: str) -> int:
        name = self._folder + key
        return data_start(self.source, name, self._members[name])


def storage_identity(identity: object) -> tuple[str, str, int, object]:
    """dtype, key, bytes and view of a persistent id.

    Raises:
        DamagedError: it names no storage.
    """
    if type(identity) is not tuple or len(identity) not in (5, 6) or identity[0] != "storage":
        whole = type(identity) is tuple and identity[:1] == ("module",)
        raise DamagedError("it holds a whole module, and not its tensors" if whole else "a storage in it is none")
    kind, key, numel = identity[1], identity[2], identity[4]
    if type(kind) is not Name or not kind.dtype or type(key) is not str or type(numel) is not int:
        raise DamagedError("a storage in it has no type, key or size")
    if not 0 <= numel <= MAX_ELEMENTS:
        raise DamagedError(f"its storage {printable(key)} would be of {numel} numbers")
    return kind.dtype, key, numel * ITEM_BYTES[kind.dtype], identity[5] if len(identity) == 6 else None


def same_storage(storage: Storage, dtype: str, nbytes: int) -> Storage:
    """The storage, if this is how it was described before.

    Raises:
        DamagedError: it is not.
    """
    if storage.dtype != dtype or storage.nbytes != nbytes:
        raise DamagedError(f"its storage {printable(storage.key)} is described in two ways")
    return storage


def read_legacy(source: ByteSource) -> object:
    """The object in a stream of pickles, as torch wrote before 1.6; its storages are passed over.

    Raises:
        CheckpointError: it is damaged or holds something that is refused.
        DamagedError: it is no such file; the message says why.
    """
    length = FIRST_BYTES
    while True:
        length = min(length, source.size, MAX_PICKLE_BYTES)
        try:
            return _read_pickles(source, source.read(0, length))
        except PickleEndsError as error:
            if length in (source.size, MAX_PICKLE_BYTES):
                raise DamagedError("its pickles have no end") from error
        length *= 4


def _read_pickles(source: ByteSource, data: bytes) -> object:
    storages = StreamStorages(source)
    machine = PickleMachine(data, source.name, NAMES, storages.storage)
    if machine.load() != MAGIC_NUMBER:
        raise DamagedError("a pickle, and none that torch.save wrote")
    if machine.load() != PROTOCOL_VERSION:
        raise DamagedError("of a version of torch.save that is not known")
    machine.load()  # what machine wrote it; numbers are little-endian in these files wherever they come from
    content = machine.load()
    storages.place(machine.load(), machine.position)
    return content


class StreamStorages(StorageSpace):
    """The storages of a stream: one after the other behind the pickles, each after its count of numbers."""

    def __init__(self, source: ByteSource) -> None:
        super().__init__(source, sys.byteorder != "little")
        self._storages: dict[str, Storage] = {}
        self._starts: dict[str, int] = {}

    def storage(self, identity: object) -> Storage:
        """What the persistent id `('storage', type, key, location, numel, view)` stands for."""
        dtype, key, nbytes, view = storage_identity(identity)
        storage = self._storages.get(key)
        if storage is None:
            storage = self._storages[key] = Storage(self, key, dtype, nbytes)
        same_storage(storage, dtype, nbytes)
        return storage if view is None else self._part(storage, view)

    def _part(self, storage: Storage, view: Any) -> Storage:
        """`(key, offset, numel)`, which torch wrote until 0.4 for a storage inside another."""
        whole = type(view) is tuple and len(view) == 3 and all(type(count) is int for count in view[1:])
        skipped, nbytes = (count * ITEM_BYTES[storage.dtype] for count in view[1:]) if whole else (-1, -1)
        if skipped < 0 or nbytes < 0 or skipped + nbytes > storage.nbytes:
            raise DamagedError(f"a part of its storage {printable(storage.key)} is none")
        return Storage(self, storage.key, storage.dtype, nbytes, skipped)

    def place(self, keys: Any, position: int) -> None:
        """Put down where each storage is, from their order behind `position`."""
        named = type(keys) is list and all(type(key) is str for key in keys)
        if not named or {*keys} != self._storages.keys() or len(keys) != len(self._storages):
            raise DamagedError("the storages that follow its pickles are not those of its tensors")
        for key in keys:
            self._starts[key] = position
            position += 8 + self._storages[key].nbytes
        if position > self.source.size:
            where = f"{self.source.name} byte {self.source.size}"
            message = f"it is truncated: its tensors need {position - self.source.size:,} more bytes"
            raise CheckpointError("E-checkpoint", where, message)

    def start_of(self, key: str) -> int:
        """Behind the count of its numbers, which the file repeats there."""
        storage = self._storages[key]
        numel = storage.nbytes // ITEM_BYTES[storage.dtype]
        count = int.from_bytes(self.source.read(self._starts[key], 8), "little")
        if count != numel:
            raise DamagedError(f"its storage {printable(key)} should have {numel:,} numbers, and has {count:,}")
        return self._starts[key] + 8
