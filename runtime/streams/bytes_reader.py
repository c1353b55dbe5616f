"""Bytes of a stream, read one after the other and never past their end."""

from __future__ import annotations

from codecspec.schema.errors import StreamError

MAX_VARINT_BYTES = 5


class BytesReader:
    """Reads `data` from `position` on.

    Args:
        data: the stream.
        position: where to start.
    """

    def __init__(self, data: bytes, position: int = 0) -> None:
        self._data = data
        self.position = position

    def take(self, size: int, what: str) -> bytes:
        """The next `size` bytes.

        Raises:
            StreamError: there are not so many; `what` says what they are of.
        """
        found = self._data[self.position : self.position + size]
        if len(found) < size:
            message = f"the stream ends inside {what}"
            raise StreamError("E-stream", f"byte {len(self._data)}", message, "it was cut; copy it again")
        self.position += size
        return found

    def rest(self) -> bytes:
        """All that is left."""
        return self._data[self.position :]

    def byte(self, what: str) -> int:
        """The next byte, as a number."""
        return self.take(1, what)[0]

    def uint32(self, what: str) -> int:
        """Four bytes, little-endian."""
        return int.from_bytes(self.take(4, what), "little")

    def varint(self, what: str) -> int:
        """A number in groups of seven bits, the lowest first; all but the last group have the bit 128.

        Raises:
            StreamError: it is longer than five bytes, or than it need be.
        """
        start, value = self.position, 0
        for i in range(MAX_VARINT_BYTES):
            group = self.byte(what)
            value |= (group & 127) << (7 * i)
            if group < 128:
                if i and not group:
                    break
                return value
        raise StreamError("E-stream", f"byte {start}", f"{what} is no number as streams write them")


def varint(value: int) -> bytes:
    """The inverse of `BytesReader.varint`, for numbers below 2^35."""
    groups = bytearray()
    while value > 127:
        groups.append(value & 127 | 128)
        value >>= 7
    return bytes([*groups, value])
