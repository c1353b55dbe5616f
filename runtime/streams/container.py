"""The container: one coded image, what it takes to decode it, and what tells that it is whole.

Version 1; docs/stream-format.md specifies every byte. No torch here: a stream can be looked into without a model.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, Self, TypeVar, get_args

from codecspec.runtime.streams.bytes_reader import BytesReader, varint
from codecspec.schema.errors import StreamError, listed

MAGIC = b"CSPC"
VERSION = 1
MAX_CHUNKS = 4096
MAX_SIDE = 65_535
DIGEST_BYTES = 8
"""Digests tell apart the models that someone has, and nobody gains by forging one: among a million models, two share
their first 64 bits with a probability of 3e-8."""

Part = Literal["z", "y", "y, anchors", "y, the rest"]
"""What a chunk holds: a latent, a slice of it, or one of two passes over it. Slices are told by their order."""
Coder = Literal["codecspec", "compressai"]
Profile = Literal["exact", "portable"]
"""Whether chunks hold syndromes, by which a decoder finds the encoder's tables where its own scales differ."""
Numerics = Literal["reference", "fast"]
"""How the networks compute what is coded, in PyTorch's floating point: in the order of the published code, or in a
faster one with other rounding errors."""
Padding = Literal["edge"]
"""How the encoder filled up the image: its last column repeated to the right, then its last row downwards."""

PARTS: tuple[Part, ...] = get_args(Part)
CODERS: tuple[Coder, ...] = get_args(Coder)
PROFILES: tuple[Profile, ...] = get_args(Profile)
NUMERICS: tuple[Numerics, ...] = get_args(Numerics)
PADDINGS: tuple[Padding, ...] = get_args(Padding)

_T = TypeVar("_T")
_CHECKSUM_BYTES = 4
_PART_BITS = 3
_FIRST_FIELD = len(MAGIC) + 1


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of the latent, as bits.

    Args:
        part: which.
        data: its syndromes and check, then its piece of the coded symbols.
    """

    part: Part
    data: bytes


@dataclass(frozen=True, slots=True)
class Model:
    """What a decoder must have to decode a stream; the first 64 bits of each digest.

    Args:
        spec: of the spec's hash.
        weights: of the digest of the weights that decoding runs.
        tables: of the digest of the coding tables.
    """

    spec: bytes
    weights: bytes
    tables: bytes


@dataclass(frozen=True, slots=True)
class Picture:
    """What an image was before it was coded.

    Args:
        height: in pixels.
        width: in pixels.
        channels: 1 for a grey image, also where a codec of three channels coded it.
        bit_depth: bits a sample, 1 to 16.
    """

    height: int
    width: int
    channels: int = 3
    bit_depth: int = 8


@dataclass(frozen=True, slots=True)
class Header:
    """All that a decoder must know of a coded image before it looks at a chunk.

    Args:
        model: what decodes it.
        picture: what it decodes to.
        multiple: the image's sides were padded to multiples of so many pixels.
        coder: what wrote the symbols.
        profile: whether another machine than the encoder's is prepared for.
        numerics: how the networks computed.
        padding: how the image was filled up.
    """

    model: Model
    picture: Picture
    multiple: int
    coder: Coder = "codecspec"
    profile: Profile = "portable"
    numerics: Numerics = "reference"
    padding: Padding = "edge"

    def to_bytes(self) -> bytes:
        """What a file starts with."""
        picture = self.picture
        fields = [
            CODERS.index(self.coder),
            PROFILES.index(self.profile),
            NUMERICS.index(self.numerics),
            PADDINGS.index(self.padding),
            picture.channels,
            picture.bit_depth,
        ]
        digests = self.model.spec + self.model.weights + self.model.tables
        numbers = map(varint, (picture.width, picture.height, self.multiple))
        return MAGIC + bytes([VERSION, *fields]) + digests + b"".join(numbers)

    @property
    def checksum(self) -> int:
        """CRC-32 of it: the checks in chunks are tied to it, so that chunks decode under their own header alone."""
        return zlib.crc32(self.to_bytes())


@dataclass(frozen=True, slots=True)
class Stream:
    """One coded image.

    Args:
        header: what it takes to decode it.
        chunks: the parts of the latent in coding order.
    """

    header: Header
    chunks: tuple[Chunk, ...]

    def to_bytes(self) -> bytes:
        """The file's content."""
        table = b"".join([varint(len(self.chunks)), *map(_table_entry, self.chunks)])
        body = b"".join([self.header.to_bytes(), table, *(chunk.data for chunk in self.chunks)])
        return body + _checksum(body)

    @property
    def overhead_bytes(self) -> int:
        """Bytes of the file that are no chunk's: the header, the chunk table and the checksum."""
        table = len(varint(len(self.chunks))) + sum(len(_table_entry(chunk)) for chunk in self.chunks)
        return len(self.header.to_bytes()) + table + _CHECKSUM_BYTES

    def labels(self) -> list[str]:
        """What each chunk is called: `z`, `slice 3 of y, anchors`."""
        starts = [chunk.part in ("y", "y, anchors") for chunk in self.chunks]
        if sum(starts) < 2:
            return [chunk.part for chunk in self.chunks]
        slices = accumulate(starts)
        named = zip(self.chunks, slices, strict=True)
        return [chunk.part if chunk.part == "z" else f"slice {k - 1} of {chunk.part}" for chunk, k in named]

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The inverse of `to_bytes`.

        Raises:
            StreamError: `data` is not a stream of this version, or was cut or changed.
        """
        _require_version(data)
        body, checksum = data[:-_CHECKSUM_BYTES], data[-_CHECKSUM_BYTES:]
        whole = _checksum(body) == checksum
        try:
            stream, checksums = cls._parsed(body)
        except StreamError:
            if whole:
                raise
            raise _damaged(len(body)) from None
        for chunk, expected, label in zip(stream.chunks, checksums, stream.labels(), strict=True):
            if zlib.crc32(chunk.data) != expected:
                raise _damaged(len(body), f" in {label}")
        if not whole:
            raise _damaged(len(body))
        return stream

    @classmethod
    def _parsed(cls, body: bytes) -> tuple[Self, list[int]]:
        """The stream, and the checksums that its chunks should have."""
        reader = BytesReader(body, _FIRST_FIELD)
        coder = _choice(reader, CODERS, "coder")
        profile = _choice(reader, PROFILES, "profile")
        numerics = _choice(reader, NUMERICS, "numerics")
        padding = _choice(reader, PADDINGS, "padding")
        channels = _number(reader.byte("the header"), 1, 255, "channels", reader)
        bit_depth = _number(reader.byte("the header"), 1, 16, "bits a sample", reader)
        model = Model(*(reader.take(DIGEST_BYTES, "the digests") for _ in range(3)))
        width = _number(reader.varint("the width"), 1, MAX_SIDE, "columns of pixels", reader)
        height = _number(reader.varint("the height"), 1, MAX_SIDE, "rows of pixels", reader)
        multiple = _number(reader.varint("the padding"), 1, MAX_SIDE, "pixels that sides are multiples of", reader)
        entries = _table(reader)
        _require_room(entries, len(body) - reader.position, reader.position)
        chunks = tuple(Chunk(part, reader.take(length, "a chunk")) for part, length, _ in entries)
        picture = Picture(height, width, channels, bit_depth)
        header = Header(model, picture, multiple, coder, profile, numerics, padding)
        return cls(header, chunks), [checksum for _, _, checksum in entries]


def _checksum(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(_CHECKSUM_BYTES, "little")


def _table_entry(chunk: Chunk) -> bytes:
    return varint(len(chunk.data) << _PART_BITS | PARTS.index(chunk.part)) + _checksum(chunk.data)


def _table(reader: BytesReader) -> list[tuple[Part, int, int]]:
    """Part, length and checksum of each chunk."""
    num_chunks = _number(reader.varint("the number of chunks"), 1, MAX_CHUNKS, "chunks", reader)
    entries = []
    for _ in range(num_chunks):
        start = reader.position
        length, code = divmod(reader.varint("the chunk table"), 1 << _PART_BITS)
        if code >= len(PARTS):
            message = f"a chunk of the unknown kind {code}; there are {listed(PARTS)}"
            raise StreamError("E-stream", f"byte {start}", message)
        entries.append((PARTS[code], length, reader.uint32("the chunk table")))
    return entries


def _require_room(entries: Sequence[tuple[Part, int, int]], room: int, where: int) -> None:
    total = sum(length for _, length, _ in entries)
    if total != room:
        message = f"the chunks take {total} bytes, and the stream has {room}"
        raise StreamError("E-stream", f"byte {where}", message)


def _choice(reader: BytesReader, allowed: tuple[_T, ...], what: str) -> _T:
    start = reader.position
    code = reader.byte("the header")
    if code >= len(allowed):
        message = f"the {what} {code} is unknown; there are {listed(f'{i} ({name})' for i, name in enumerate(allowed))}"
        raise StreamError("E-stream", f"byte {start}", message, "a newer codecspec may know it")
    return allowed[code]


def _number(value: int, low: int, high: int, what: str, reader: BytesReader) -> int:
    if not low <= value <= high:
        raise StreamError("E-stream", f"byte {reader.position}", f"{value} {what}; there are {low} to {high}")
    return value


def _require_version(data: bytes) -> None:
    if not data.startswith(MAGIC):
        raise StreamError("E-stream", "byte 0", "not a codecspec stream: it does not start with CSPC")
    if len(data) < _FIRST_FIELD + _CHECKSUM_BYTES:
        raise StreamError("E-stream", f"byte {len(data)}", "the stream ends inside its header")
    version = data[len(MAGIC)]
    if version != VERSION:
        message = f"stream version {version}; this program reads version {VERSION}"
        hint = "version 0 was provisional: code the image again" if version == 0 else "use a newer codecspec"
        raise StreamError("E-stream", f"byte {len(MAGIC)}", message, hint)


def _damaged(where: int, which: str = "") -> StreamError:
    message = f"the checksum does not hold: the stream was cut or changed{which}"
    return StreamError("E-stream", f"byte {where}", message, "copy it again from where it was written")
