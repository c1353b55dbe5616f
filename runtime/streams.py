"""A coded image as bytes. Provisional: version 0, to be replaced by the final container.

All integers little-endian:

    magic      4 bytes    b"CSPC"
    version    u8         0
    spec hash  32 bytes   of the codec that wrote it
    width      u32        of the image, in pixels
    height     u32
    parts      u16        slices of y in coding order, then z
    lengths    u32 each   of the parts, in bytes
    payload    the parts, one after the other
    checksum   u32        CRC-32 of everything before it
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from codecspec.schema.errors import StreamError

MAGIC = b"CSPC"
VERSION = 0
MAX_PARTS = 4096
MAX_SIDE = 65_535

_HEADER = struct.Struct("<4sB32sIIH")
_CHECKSUM = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Stream:
    """One coded image.

    Args:
        spec_hash: of the codec that wrote it, 64 hexadecimal digits.
        height: of the image, in pixels.
        width: of the image, in pixels.
        parts: one string for each part of the latent in coding order.
    """

    spec_hash: str
    height: int
    width: int
    parts: tuple[bytes, ...]

    def to_bytes(self) -> bytes:
        """The file's content."""
        header = _HEADER.pack(MAGIC, VERSION, bytes.fromhex(self.spec_hash), self.width, self.height, len(self.parts))
        lengths = struct.pack(f"<{len(self.parts)}I", *(len(part) for part in self.parts))
        body = b"".join([header, lengths, *self.parts])
        return body + _CHECKSUM.pack(zlib.crc32(body))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The inverse of `to_bytes`.

        Raises:
            StreamError: `data` is not a stream of this version, or was cut or changed.
        """
        if not data.startswith(MAGIC):
            raise StreamError("E-stream", "byte 0", "not a codecspec stream: it does not start with CSPC")
        if len(data) < _HEADER.size + _CHECKSUM.size:
            raise StreamError("E-stream", f"byte {len(data)}", "the stream ends inside its header")
        _, version, digest, width, height, num_parts = _HEADER.unpack_from(data)
        if version != VERSION:
            raise StreamError("E-stream", "byte 4", f"stream version {version}; this program reads version {VERSION}")
        body, (checksum,) = data[: -_CHECKSUM.size], _CHECKSUM.unpack(data[-_CHECKSUM.size :])
        if zlib.crc32(body) != checksum:
            raise StreamError(
                "E-stream", f"byte {len(body)}", "the checksum does not hold: the stream was cut or changed"
            )
        if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE and 1 <= num_parts <= MAX_PARTS):
            message = f"an image of {width}x{height} in {num_parts} parts; sides are 1 to {MAX_SIDE}"
            raise StreamError("E-stream", "byte 37", message)
        return cls(digest.hex(), height, width, _split(body, num_parts))


def _split(body: bytes, num_parts: int) -> tuple[bytes, ...]:
    start = _HEADER.size + 4 * num_parts
    if start > len(body):
        raise StreamError("E-stream", f"byte {_HEADER.size}", f"no room for the lengths of {num_parts} parts")
    lengths = struct.unpack_from(f"<{num_parts}I", body, _HEADER.size)
    if start + sum(lengths) != len(body):
        message = f"the parts take {sum(lengths)} bytes, and the stream has {len(body) - start}"
        raise StreamError("E-stream", f"byte {_HEADER.size}", message)
    parts: list[bytes] = []
    for length in lengths:
        parts.append(body[start : start + length])
        start += length
    return tuple(parts)


def require_same_spec(stream: Stream, spec_hash: str) -> None:
    """Refuse to decode a stream with another codec than wrote it.

    Raises:
        StreamError: the hashes differ; names both.
    """
    if stream.spec_hash != spec_hash:
        message = f"written by the spec {stream.spec_hash[:12]}, and this model is {spec_hash[:12]}"
        raise StreamError("E-stream-model", "byte 5", message, "decode with the model that the image was coded with")


def parts_of(strings: Sequence[Sequence[bytes]], image: int = 0) -> tuple[bytes, ...]:
    """The strings of one image of a batch, as `Codec.compress` gives them."""
    return tuple(part[image] for part in strings)
