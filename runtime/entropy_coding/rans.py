"""Interleaved rANS over arrays (Duda, arXiv:1311.2540; interleaving: Giesen, arXiv:1402.3392), version 1.

A stream holds the symbols of any number of segments, one after the other; segments leave no trace in it. It is empty
if there is no symbol, and else

    states   9 bytes   two of 36 bits, little-endian, the one of the first symbol in the low bits
    words    u16 each  little-endian, in the order in which a decoder takes them

The two states decode by turns. A decoder takes from a state x, 2^20 <= x < 2^36, the symbol whose interval (first,
counts) of the 2^16 of its row holds x mod 2^16, and goes on with counts * (x div 2^16) + x mod 2^16 - first; below 2^20
it takes a word w and goes on with 2^16 x + w. Both states end at 2^20, which an encoder starts with, so what was
decoded under wrong tables is noticed but for one case in a million.

The last symbol of a row is the escape, for values outside. It is followed, in the same state, by the number n of the
bits of F behind its leading one (6 bits), and these n bits, highest first: n mod 15 of them (if that is not 0), then 15
each. With a row of E symbols before the escape, F is 2 (value - E) + 1 for a value of E or more, and -2 value for one
below 0, where `value` counts from the row's offset. Bits are coded as intervals of equal counts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from codecspec.runtime.entropy_coding.tables import CodingTables, Int32, require_rows, require_symbols
from codecspec.schema.errors import StreamError

Segment = tuple[Int32, Int32, CodingTables]
"""Symbols, the rows of the tables that they are coded under, and the tables."""

STATES_BYTES = 9
SPARE_WORDS = 1024
"""Room for some escapes beside a word for each symbol."""


def encode(symbols: Int32, indexes: Int32, tables: CodingTables) -> bytes:
    """Code `symbols` under the rows `indexes` of `tables`; both int32 (n,)."""
    data, _ = encode_segments([(symbols, indexes, tables)])
    return data


def decode(data: bytes | memoryview, indexes: Int32, tables: CodingTables, *, where: str = "coded symbols") -> Int32:
    """The inverse of `encode`: int32 (n,).

    Args:
        data: all of the stream.
        indexes: int32 (n,), as the encoder's.
        tables: as the encoder's.
        where: names the symbols in errors.

    Raises:
        StreamError: `data` was not coded under these indexes and tables.
    """
    decoder = Decoder(data)
    symbols = decoder.decode(indexes, tables, where=where)
    decoder.finish(where=where)
    return symbols


def encode_segments(segments: Sequence[Segment]) -> tuple[bytes, list[int]]:
    """Code several segments into one stream, in the order in which they will be decoded.

    Returns:
        The stream, and for each segment how many bytes of it a decoder has read behind the segment's last symbol.
    """
    from codecspec.runtime.entropy_coding import rans_kernels

    segments = [(*require_symbols(symbols, indexes), tables) for symbols, indexes, tables in segments]
    for _, indexes, tables in segments:
        require_rows(indexes, tables)
    total = sum(len(symbols) for symbols, _, _ in segments)
    if not total:
        return b"", [0] * len(segments)
    for words_each in (1, 1 + rans_kernels.MAX_WORDS):
        states = np.full(2, rans_kernels.LOW, np.uint64)
        words = np.empty(total * words_each + SPARE_WORDS, np.uint16)
        starts = _fill(words, states, segments, total)
        if starts:  # else there are more escapes than it had room for
            break
    last, first = (int(state) for state in states)
    head = (last << rans_kernels.STATE_BITS | first).to_bytes(STATES_BYTES, "little")
    counts = np.cumsum([len(symbols) for symbols, _, _ in segments])
    ends = [STATES_BYTES + 2 * (end - starts[0]) for end in [*starts[1:], len(words)]]
    data = head + words[starts[0] :].astype("<u2", copy=False).tobytes()
    return data, [end if count else 0 for end, count in zip(ends, counts.tolist(), strict=True)]


def _fill(words: NDArray[np.uint16], states: NDArray[np.uint64], segments: Sequence[Segment], total: int) -> list[int]:
    """Code all segments into the end of `words`; where each starts in it, or nothing if it is too short."""
    from codecspec.runtime.entropy_coding import rans_kernels

    starts = [len(words)]
    for symbols, indexes, tables in reversed(segments):
        total -= len(symbols)
        arrays = tables.starts, tables.escapes, tables.offsets, tables.entries
        start = rans_kernels.encode(symbols, indexes, *arrays, states, words, starts[-1], total)
        if start < 0:
            return []
        starts.append(start)
    return starts[:0:-1]


class Decoder:
    """Decodes the symbols of one stream, in pieces of any size, while the stream comes in.

    Args:
        data: the stream, or its beginning.
    """

    def __init__(self, data: bytes | memoryview = b"") -> None:
        self.fed = 0
        """Bytes that came in."""
        self.position = 0
        """Bytes that were read."""
        self._states: NDArray[np.uint64] | None = None
        self._unread = b""
        self._words = np.zeros(0, np.uint16)
        self._next = 0
        self.feed(data)

    def feed(self, data: bytes | memoryview) -> None:
        """Take the next bytes of the stream."""
        from codecspec.runtime.entropy_coding import rans_kernels

        self.fed += len(data)
        self._unread = self._unread[2 * self._next :] + bytes(data)
        self._next = 0
        if self._states is None:
            return
        whole = len(self._unread) // 2
        self._words = np.zeros(whole + rans_kernels.MARGIN, np.uint16)
        self._words[:whole] = np.frombuffer(self._unread, "<u2", whole)

    def decode(self, indexes: Int32, tables: CodingTables, *, where: str = "coded symbols") -> Int32:
        """The next symbols of the stream, int32 (n,) as `indexes`.

        Raises:
            StreamError: what came in ends early, or holds a value that is no int32; the decoder is of no use then.
        """
        from codecspec.runtime.entropy_coding import rans_kernels

        indexes = require_rows(indexes, tables)
        out = np.empty(len(indexes), np.int32)
        if not len(indexes):
            return out
        states = self._begin(where) if self._states is None else self._states
        arrays = tables.escapes, tables.offsets, tables.entries, tables.lookup
        end = len(self._words) - rans_kernels.MARGIN
        position = rans_kernels.decode(self._words, end, self._next, states, indexes, *arrays, out)
        if position < 0:
            raise StreamError("E-stream", where, "the coded symbols end early, or cannot be decoded")
        self.position += 2 * (position - self._next)
        self._next = position
        return out

    def _begin(self, where: str) -> NDArray[np.uint64]:
        from codecspec.runtime.entropy_coding import rans_kernels

        head = int.from_bytes(self._unread[:STATES_BYTES], "little")
        first, last = head & ((1 << rans_kernels.STATE_BITS) - 1), head >> rans_kernels.STATE_BITS
        if len(self._unread) < STATES_BYTES or min(first, last) < int(rans_kernels.LOW):
            raise StreamError("E-stream", where, "there are no coded symbols: they were cut or changed")
        self._states = np.array([first, last], np.uint64)
        self._unread = self._unread[STATES_BYTES:]
        self.position = STATES_BYTES
        self.feed(b"")
        return self._states

    def finish(self, *, where: str = "coded symbols") -> None:
        """Make sure that the stream ends here, as an encoder began it.

        Raises:
            StreamError: something is left, or what was decoded is not what was coded.
        """
        from codecspec.runtime.entropy_coding import rans_kernels

        if self.position != self.fed:
            raise StreamError("E-stream", where, f"{self.fed - self.position} bytes are left behind the last symbol")
        if self._states is not None and (self._states != rans_kernels.LOW).any():
            raise StreamError("E-stream", where, "the symbols decoded are not those that were coded")
