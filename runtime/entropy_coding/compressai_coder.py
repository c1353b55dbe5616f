"""CompressAI's strings, arrays in and bytes out: byte for byte those of its `compress`, and read by its `decompress`.

Each string is one segment: a rANS state of 64 bits and words of 32, little-endian; values outside their row follow the
escape in digits of 4 bits, lowest first, behind their number. The code is ours. CompressAI's takes Python lists, writes
in front of its buffer where there is one symbol or none, and reads behind the end of a string that was cut.
"""

from __future__ import annotations

import numpy as np

from codecspec.runtime.entropy_coding.tables import CodingTables, Int32, require_rows, require_symbols
from codecspec.schema.errors import StreamError

SPARE_WORDS = 1024
"""Room for some escapes beside a word for each symbol."""


def encode(symbols: Int32, indexes: Int32, tables: CodingTables) -> bytes:
    """Code `symbols` under the rows `indexes` of `tables`; both int32 (n,).

    Every int32 comes back with `decode`; CompressAI's own gives back those within 2^30 of their row's offset.
    """
    from codecspec.runtime.entropy_coding import compressai_kernels as kernels

    symbols, indexes = require_symbols(symbols, indexes)
    require_rows(indexes, tables)
    arrays = tables.starts, tables.escapes, tables.offsets, tables.entries
    for words_each in (1, 1 + kernels.MAX_WORDS):
        words = np.empty(len(symbols) * words_each + SPARE_WORDS, np.uint32)
        start = kernels.encode(symbols, indexes, *arrays, words)
        if start >= 0:
            break
    return words[start:].astype("<u4", copy=False).tobytes()


def decode(data: bytes | memoryview, indexes: Int32, tables: CodingTables, *, where: str = "coded symbols") -> Int32:
    """The inverse of `encode`: int32 (n,).

    Args:
        data: all of the string.
        indexes: int32 (n,), as the encoder's.
        tables: as the encoder's.
        where: names the symbols in errors.

    Raises:
        StreamError: `data` was not coded under these indexes and tables.
    """
    decoder = Decoder(data, where=where)
    symbols = decoder.decode(indexes, tables, where=where)
    decoder.finish(where=where)
    return symbols


class Decoder:
    """Decodes the symbols of one string in pieces of any size.

    Args:
        data: all of the string.
        where: names the symbols in errors.

    Raises:
        StreamError: `data` is of no length that a string has.
    """

    def __init__(self, data: bytes | memoryview, *, where: str = "coded symbols") -> None:
        from codecspec.runtime.entropy_coding import compressai_kernels as kernels

        if len(data) < 8 or len(data) % 4:
            raise StreamError("E-stream", where, f"{len(data)} bytes; coded symbols are 8 or more, in fours")
        self._end = len(data) // 4
        self._words = np.zeros(self._end + kernels.MARGIN, np.uint32)
        self._words[: self._end] = np.frombuffer(bytes(data), "<u4")
        self._state = np.array([int.from_bytes(data[:8], "little")], np.uint64)
        self._next = 2

    def decode(self, indexes: Int32, tables: CodingTables, *, where: str = "coded symbols") -> Int32:
        """The next symbols of the string, int32 (n,) as `indexes`.

        Raises:
            StreamError: it ends early, or holds a value that is no int32; the decoder is of no use then.
        """
        from codecspec.runtime.entropy_coding import compressai_kernels as kernels

        indexes = require_rows(indexes, tables)
        out = np.empty(len(indexes), np.int32)
        arrays = tables.escapes, tables.offsets, tables.entries, tables.lookup
        position = kernels.decode(self._words, self._end, self._next, self._state, indexes, *arrays, out)
        if position < 0:
            raise StreamError("E-stream", where, "the coded symbols end early, or cannot be decoded")
        self._next = position
        return out

    def finish(self, *, where: str = "coded symbols") -> None:
        """Make sure that the string ends here, as an encoder began it.

        Raises:
            StreamError: something is left, or what was decoded is not what was coded.
        """
        from codecspec.runtime.entropy_coding import compressai_kernels as kernels

        if self._next != self._end or self._state[0] != kernels.LOW:
            raise StreamError("E-stream", where, "the symbols decoded are not those that were coded")
