"""The parts of a latent as chunks of a stream: syndromes, a check, and a piece of the coded symbols.

    scales ─► table indexes ──┬─► syndromes ┐
                              ▼             ├─► chunk
    symbols ──┬───────────► coder ─► piece ─┤
              └─────────────────► check ────┘

What a chunk holds is specified in docs/stream-format.md; this is the one place that knows of coders and profiles.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from codecspec.runtime.coding_tables import coding_tables, gaussian_indexes, gaussian_scales, lower_bound
from codecspec.runtime.compressai_classes import EntropyBottleneck, EntropyModel, GaussianConditional
from codecspec.runtime.entropy_coding.rans import Segment
from codecspec.runtime.entropy_coding.syndromes import reconcile, symbols_check, syndrome_size, syndromes
from codecspec.runtime.latent_codecs.symbol_coder import Scales, SymbolCoder, Symbols, Turn, WrittenTurn, given
from codecspec.runtime.latent_codecs.symbols import LatentPart
from codecspec.runtime.streams.bytes_reader import BytesReader
from codecspec.runtime.streams.container import PARTS, Chunk, Header, Part, Profile, Stream
from codecspec.runtime.streams.pieces import piece_reader, pieces
from codecspec.schema.errors import StreamError

CHECK_BYTES = 4
"""Of the check over a chunk's symbols."""

_OTHER_SCALES = "; the scales computed here are not those of the machine that wrote the stream"
_DRIFT_HINTS: dict[Profile, str] = {
    "exact": "code it with the profile portable, or decode with the device, threads and PyTorch that it was coded with",
    "portable": "decode with a device, threads and PyTorch nearer to those that it was coded with",
}


def side_bytes(part: LatentPart, profile: Profile) -> int:
    """Bytes of a chunk that are not its piece of the coded symbols."""
    if not part.num_symbols:
        return 0
    return CHECK_BYTES + (syndrome_size(part.num_symbols) if part.under_scales and profile == "portable" else 0)


class ChunkWriter(SymbolCoder):
    """Codes one image into chunks.

    Args:
        header: of the stream that they will be in; with the profile `portable`, they hold syndromes.
    """

    num_images = 0

    def __init__(self, header: Header) -> None:
        self.header = header
        self._parts: list[Part] = []
        self._sides: list[bytes] = []
        self._segments: list[Segment] = []

    def chunks(self) -> tuple[Chunk, ...]:
        """All that was coded."""
        coded = zip(self._parts, self._sides, pieces(self.header.coder, self._segments), strict=True)
        return tuple(Chunk(part, side + piece) for part, side, piece in coded)

    def code_under_scales(
        self, part: str, model: GaussianConditional, scales: Scales, symbols: Symbols | None
    ) -> Symbols:
        indexes = gaussian_indexes(model, scales[0])
        added = syndromes(indexes) if self.header.profile == "portable" else b""
        return self._add(part, model, given(symbols), indexes, added)

    def code_by_channel(
        self, part: str, model: EntropyBottleneck, channels: Symbols, symbols: Symbols | None
    ) -> Symbols:
        return self._add(part, model, given(symbols), channels, b"")

    def turns(self, part: str, model: GaussianConditional, num_images: int) -> Iterator[Turn]:
        turn = WrittenTurn(model)
        yield turn
        symbols, indexes = turn.whole()
        self._add(part, model, symbols[None], indexes, b"")

    def _add(self, part: str, model: EntropyModel, symbols: Symbols, indexes: Symbols, added: bytes) -> Symbols:
        image = symbols[0]
        self._parts.append(_known(part))
        self._sides.append(added + _check(image, self.header) if len(image) else b"")
        self._segments.append((image, indexes, coding_tables(model)))
        return symbols


class ChunkReader(SymbolCoder):
    """Decodes the chunks of a stream, one after the other.

    Args:
        stream: the chunks, and what wrote them.
    """

    num_images = 1

    def __init__(self, stream: Stream) -> None:
        self._chunks = iter(stream.chunks)
        self._header = stream.header
        self._pieces = piece_reader(stream.header.coder)

    def finish(self) -> None:
        """Make sure that nothing is left.

        Raises:
            StreamError: there are more chunks, or the coded symbols do not end.
        """
        left = next(self._chunks, None)
        if left is not None:
            raise StreamError("E-stream", left.part, "the stream has a chunk more than the model has parts")
        self._pieces.finish()

    def code_under_scales(
        self, part: str, model: GaussianConditional, scales: Scales, symbols: Symbols | None
    ) -> Symbols:
        chunk = self._next(part)
        if self._header.profile == "portable":
            told = chunk.take(syndrome_size(scales.shape[1]), f"the syndromes of {part}")
            with self.drift_told():
                indexes = reconcile(scales[0], gaussian_scales(model), told, lower_bound(model), where=part)
        else:
            indexes = gaussian_indexes(model, scales[0])
        with self.drift_told(_OTHER_SCALES):
            return self._decoded(part, model, indexes, chunk)

    def code_by_channel(
        self, part: str, model: EntropyBottleneck, channels: Symbols, symbols: Symbols | None
    ) -> Symbols:
        return self._decoded(part, model, channels, self._next(part))

    def turns(self, part: str, model: GaussianConditional, num_images: int) -> Iterator[Turn]:
        chunk = self._next(part)
        expected = chunk.take(CHECK_BYTES, f"the check of {part}")
        self._pieces.open(chunk.rest(), part)
        turn = _ReadTurn(self, part, model)
        yield turn
        with self.drift_told(_OTHER_SCALES):
            self._close(part, np.concatenate(turn.symbols), expected)

    def decode(self, part: str, model: EntropyModel, indexes: Symbols) -> Symbols:
        """The next symbols of the piece that is open."""
        return self._pieces.decode(indexes, coding_tables(model), part)

    @contextmanager
    def drift_told(self, added: str = "") -> Iterator[None]:
        """What keeps a whole chunk under scales from being decoded is, as a rule, that those are others here."""
        try:
            yield
        except StreamError as error:
            hint = _DRIFT_HINTS[self._header.profile]
            raise StreamError("E-stream-drift", error.where, error.message + added, hint) from error

    def _decoded(self, part: str, model: EntropyModel, indexes: Symbols, chunk: BytesReader) -> Symbols:
        if not len(indexes):
            return indexes[None]
        expected = chunk.take(CHECK_BYTES, f"the check of {part}")
        self._pieces.open(chunk.rest(), part)
        symbols = self.decode(part, model, indexes)
        self._close(part, symbols, expected)
        return symbols[None]

    def _close(self, part: str, symbols: Symbols, expected: bytes) -> None:
        self._pieces.close(part)
        if _check(symbols, self._header) != expected:
            raise StreamError("E-stream", part, "the decoded symbols are not those that were coded")

    def _next(self, part: str) -> BytesReader:
        chunk = next(self._chunks, None)
        if chunk is None or chunk.part != part:
            found = "no chunk" if chunk is None else f"a chunk of '{chunk.part}'"
            raise StreamError("E-stream", part, f"the stream has {found} where the model has this part")
        return BytesReader(chunk.data)


class _ReadTurn(Turn):
    """An image position by position, each decoded when its scales are known."""

    def __init__(self, reader: ChunkReader, part: str, model: GaussianConditional) -> None:
        self._reader, self._part, self._model = reader, part, model
        self.symbols: list[Symbols] = []

    def code(self, scales: Scales, symbols: Symbols | None) -> Symbols:
        with self._reader.drift_told(_OTHER_SCALES):
            self.symbols.append(self._reader.decode(self._part, self._model, gaussian_indexes(self._model, scales)))
        return self.symbols[-1]


def _check(symbols: Symbols, header: Header) -> bytes:
    return (symbols_check(symbols) ^ header.checksum).to_bytes(CHECK_BYTES, "little")


def _known(part: str) -> Part:
    for known in PARTS:
        if part == known:
            return known
    raise ValueError(f"streams have no part '{part}'; add it to the container, and a version")
