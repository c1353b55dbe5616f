"""The directory of a zip file: where each member's bytes are, if the file is as plain as torch writes it.

Python's `zipfile` trusts what a directory says about sizes and places; here members that are compressed, encrypted, in
each other's bytes, named twice or outside the file are refused before anything of them is read.
"""

from __future__ import annotations

import struct
from operator import itemgetter
from typing import NamedTuple

from codecspec.compiler.checkpoints.byte_source import ByteSource
from codecspec.compiler.checkpoints.damaged import DamagedError, printable

MAX_MEMBERS = 65_536
MAX_DIRECTORY_BYTES = 8 << 20
TAIL_BYTES = 4096
"""What is read first of a file's end: its last record, and all of a small directory."""
MAX_COMMENT_BYTES = 65_535

_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_MEMBER = struct.Struct("<4s4x2H8x2L3H8xL")
_LOCAL_BYTES = 30
LARGE = 0xFFFFFFFF
"""Stands for a number that needs more than 32 bits, and is in the extra field."""


class Member(NamedTuple):
    """One file in a zip file.

    Args:
        header: the place of its own header, which its name, padding and bytes follow.
        nbytes: how many bytes.
        name_bytes: the length of its name.
        limit: where its bytes must end, as something else starts there.
    """

    header: int
    nbytes: int
    name_bytes: int
    limit: int


_Record = tuple[int, int, int]
"""What the directory says of a member: the place of its header, its bytes, the length of its name."""


def read_directory(source: ByteSource) -> dict[str, Member]:
    """Name -> member, for a zip file whose members are all stored as they are.

    Raises:
        DamagedError: it is none; the message says why.
        CheckpointError: it cannot be read.
    """
    start, length, count = _directory_place(source)
    if count > MAX_MEMBERS or length > MAX_DIRECTORY_BYTES or start + length > source.size:
        raise DamagedError(f"its zip directory would have {count:,} members and {length:,} bytes")
    raw = source.read(start, length)
    found: dict[str, _Record] = {}
    position = 0
    for _ in range(count):
        position = _read_member(raw, position, found)
    return _limited(found, start)


def data_start(source: ByteSource, name: str, member: Member) -> int:
    """The place of a member's first byte.

    Raises:
        DamagedError: its own header is not the one that the directory promises.
        CheckpointError: it cannot be read.
    """
    header = source.read(member.header, _LOCAL_BYTES)
    name_length, extra_length = struct.unpack_from("<2H", header, 26)
    start: int = member.header + _LOCAL_BYTES + name_length + extra_length
    if header[:4] != b"PK\3\4" or name_length != member.name_bytes or start + member.nbytes > member.limit:
        raise DamagedError(f"its member {printable(name)} is not where the zip directory says")
    return start


def _directory_place(source: ByteSource) -> tuple[int, int, int]:
    """Start, bytes and members of the directory, from the record at the end of the file."""
    for length in (TAIL_BYTES, MAX_COMMENT_BYTES + TAIL_BYTES):
        length = min(length, source.size)
        tail = source.read(source.size - length, length)
        at = tail.rfind(b"PK\5\6")
        if at >= 0 and len(tail) - at >= _END.size:
            break
    else:
        raise DamagedError("it is a zip file without its end")
    _, _, _, _, count, nbytes, start, _ = _END.unpack_from(tail, at)
    locator = at - _END64_LOCATOR.size
    if locator >= 0 and tail[locator : locator + 4] == b"PK\6\7":
        _, _, place, _ = _END64_LOCATOR.unpack_from(tail, locator)
        record = source.read(min(place, source.size), _END64.size)
        signature, _, _, _, _, _, _, count, nbytes, start = _END64.unpack(record)
        if signature != b"PK\6\6":
            raise DamagedError("its zip64 record is not where it says")
    return start, nbytes, count


def _read_member(raw: bytes, position: int, members: dict[str, _Record]) -> int:
    """Put down the member whose record starts at `position`; where the next record starts."""
    if position + _MEMBER.size > len(raw):
        raise DamagedError("its zip directory is shorter than it says")
    signature, flags, method, packed, nbytes, name_bytes, extra_bytes, comment_bytes, header = _MEMBER.unpack_from(
        raw, position
    )
    start = position + _MEMBER.size
    end: int = start + name_bytes
    name = raw[start:end].decode("utf-8", "replace")
    if signature != b"PK\1\2":
        raise DamagedError("its zip directory is damaged")
    if packed == LARGE or nbytes == LARGE or header == LARGE:
        nbytes, packed, header = _large(raw[end : end + extra_bytes], nbytes, packed, header)
    if method or packed != nbytes or flags & 1:
        raise DamagedError(f"its member {printable(name)} is compressed or encrypted, and torch writes none so")
    if name in members:
        raise DamagedError(f"it has two members {printable(name)}")
    members[name] = (header, nbytes, name_bytes)
    after: int = end + extra_bytes + comment_bytes
    return after


def _large(extra: bytes, *values: int) -> list[int]:
    """The values of a member, with those that need more than 32 bits from its extra field."""
    position = 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, position)
        field = extra[position + 4 : position + 4 + length]
        if kind == 1:
            numbers = iter([number for (number,) in struct.iter_unpack("<Q", field[: len(field) // 8 * 8])])
            return [next(numbers, value) if value == LARGE else value for value in values]
        position += 4 + length
    return list(values)


def _limited(records: dict[str, _Record], end: int) -> dict[str, Member]:
    """The members with where the next one starts, or the directory, which does at `end`; none in another's bytes."""
    members: dict[str, Member] = {}
    limit = end
    for name, record in sorted(records.items(), key=itemgetter(1), reverse=True):
        header, nbytes, name_bytes = record
        if header + _LOCAL_BYTES + name_bytes + nbytes > limit:
            raise DamagedError(f"its member {printable(name)} reaches into the bytes of what follows it")
        members[name] = Member(header, nbytes, name_bytes, limit)
        limit = header
    return members
