"""Interleaved rANS over arrays (Duda, arXiv:1311.2540; interleaving: Giesen, arXiv:1402.3392)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from codecspec.runtime.entropy_coding.tables import CodingTables, Int32, require_rows, require_symbols
from codecspec.schema.errors import StreamError

Segment = tuple[Int32, Int32, CodingTables]
"""Symbols, the rows of the tables that they are coded under, and the tables."""

STATE_BYTES = 5
FEW = 4096
MARGIN = 8


def encode(symbols: Int32, indexes: Int32, tables: CodingTables) -> bytes:
    """Code `symbols` under the rows `indexes` of `tables`; both int32 (n,)."""
    return encode_segments([(symbols, indexes, tables)])


def decode(data: bytes | memoryview, indexes: Int32, tables: CodingTables, *, where: str = "coded symbols") -> Int32:
    """The inverse of `encode`.

    Raises:
        StreamError: `data` cannot have been coded under these indexes and tables.
    """
    decoder = Decoder(data, where=where)
    symbols = decoder.decode(indexes, tables, where=where)
    decoder.finish(where=where)
    return symbols


def encode_segments(segments: Sequence[Segment]) -> bytes:
    """Code several segments into one stream, in the order in which they will be decoded."""
    from codecspec.runtime.entropy_coding import rans_kernels

    for symbols, indexes, tables in segments:
        require_symbols(symbols, indexes)
        require_rows(indexes, tables)
    total = sum(len(symbols) for symbols, _, _ in segments)
    if not total:
        return b""
    states = np.full(1 if total < FEW else 4, rans_kernels.LOW, np.uint64)
    words = np.empty(6 * total, np.uint16)
    position = len(words)
    for symbols, indexes, tables in reversed(segments):
        total -= len(symbols)
        position = rans_kernels.encode(
            symbols,
            indexes,
            tables.starts,
            tables.escapes,
            tables.offsets,
            tables.cumulative,
            states,
            total,
            words,
            position,
        )
    head = states.astype("<u8").view(np.uint8).reshape(-1, 8)[:, :STATE_BYTES].tobytes()
    return bytes([len(states)]) + head + words[position:].astype("<u2").tobytes()


class Decoder:
    """Decodes the segments of one stream, one after the other.

    Args:
        data: what `encode_segments` returned.
        where: names the stream in errors.

    Raises:
        StreamError: `data` is no stream.
    """

    def __init__(self, data: bytes | memoryview, *, where: str = "coded symbols") -> None:
        raw = np.frombuffer(data, np.uint8)
        self._words = np.zeros(MARGIN, np.uint16)
        self._states = np.zeros(0, np.uint64)
        self._end = self._position = self._phase = 0
        if not len(raw):
            return
        count = int(raw[0])
        head = 1 + count * STATE_BYTES
        if count not in (1, 4) or len(raw) < head or (len(raw) - head) % 2:
            raise StreamError("E-stream", where, "the coded symbols are cut or changed")
        states = np.zeros((count, 8), np.uint8)
        states[:, :STATE_BYTES] = raw[1:head].reshape(count, STATE_BYTES)
        self._states = states.view("<u8").reshape(count).astype(np.uint64)
        self._end = (len(raw) - head) // 2
        self._words = np.zeros(self._end + MARGIN, np.uint16)
        self._words[: self._end] = np.frombuffer(raw[head:].tobytes(), "<u2")

    def decode(self, indexes: Int32, tables: CodingTables, *, where: str = "coded symbols") -> Int32:
        """The next symbols of the stream, int32 of the shape of `indexes`.

        Raises:
            StreamError: the stream ends, or holds a value that is no int32.
        """
        from codecspec.runtime.entropy_coding import rans_kernels

        require_rows(indexes, tables)
        out = np.empty(len(indexes), np.int32)
        if not len(indexes):
            return out
        if not len(self._states):
            raise StreamError("E-stream", where, "there are no coded symbols")
        self._position = rans_kernels.decode(
            self._words,
            self._end,
            self._position,
            self._states,
            self._phase,
            indexes,
            tables.starts,
            tables.escapes,
            tables.offsets,
            tables.cumulative,
            tables.lookup,
            out,
        )
        if self._position > self._end:
            raise StreamError("E-stream", where, "the coded symbols end early or cannot be decoded")
        self._phase = (self._phase + len(indexes)) % len(self._states)
        return out

    def finish(self, *, where: str = "coded symbols") -> None:
        """Make sure that the stream ends here.

        Raises:
            StreamError: something is left, or what was decoded is not what was coded.
        """
        from codecspec.runtime.entropy_coding import rans_kernels

        if self._position != self._end or (self._states != rans_kernels.LOW).any():
            raise StreamError("E-stream", where, "the coded symbols do not end where they should")
