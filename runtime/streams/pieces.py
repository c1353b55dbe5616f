"""The coded symbols of an image, cut into a piece for each chunk.

Our coder writes one stream per image, so that a slice pays for no state of its own: its piece is what a decoder reads
while it decodes the slice. CompressAI's writes a string per chunk.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise

from codecspec.runtime.entropy_coding import compressai_coder, rans
from codecspec.runtime.entropy_coding.rans import Segment
from codecspec.runtime.entropy_coding.tables import CodingTables
from codecspec.runtime.latent_codecs.symbol_coder import Symbols
from codecspec.runtime.streams.container import Coder
from codecspec.schema.errors import StreamError


def pieces(coder: Coder, segments: Sequence[Segment]) -> list[bytes]:
    """The piece of each segment; empty where it has no symbols."""
    if coder == "compressai":
        return [compressai_coder.encode(*segment) if len(segment[0]) else b"" for segment in segments]
    data, ends = rans.encode_segments(segments)
    return [data[start:end] for start, end in pairwise([0, *ends])]


class PieceReader(ABC):
    """Decodes pieces in the order in which they were written; pieces without symbols are left out."""

    @abstractmethod
    def open(self, piece: bytes, where: str) -> None:
        """Go on with the next piece."""

    @abstractmethod
    def decode(self, indexes: Symbols, tables: CodingTables, where: str) -> Symbols:
        """The next symbols of the piece.

        Raises:
            StreamError: the piece ends before, or holds none.
        """

    @abstractmethod
    def close(self, where: str) -> None:
        """Make sure that the piece ends here.

        Raises:
            StreamError: something is left of it.
        """

    @abstractmethod
    def finish(self) -> None:
        """Make sure that the last piece was the last.

        Raises:
            StreamError: the coder's states say that what was decoded is not what was coded.
        """


def piece_reader(coder: Coder) -> PieceReader:
    """The reader of a coder's pieces."""
    return _StringEach() if coder == "compressai" else _OneStream()


class _OneStream(PieceReader):
    def __init__(self) -> None:
        self._decoder = rans.Decoder()

    def open(self, piece: bytes, where: str) -> None:
        self._decoder.feed(piece)

    def decode(self, indexes: Symbols, tables: CodingTables, where: str) -> Symbols:
        return self._decoder.decode(indexes, tables, where=where)

    def close(self, where: str) -> None:
        if self._decoder.position != self._decoder.fed:
            raise StreamError("E-stream", where, "the coded symbols do not end with their chunk")

    def finish(self) -> None:
        self._decoder.finish()


class _StringEach(PieceReader):
    def open(self, piece: bytes, where: str) -> None:
        self._decoder = compressai_coder.Decoder(piece, where=where)

    def decode(self, indexes: Symbols, tables: CodingTables, where: str) -> Symbols:
        return self._decoder.decode(indexes, tables, where=where)

    def close(self, where: str) -> None:
        self._decoder.finish(where=where)

    def finish(self) -> None:
        """Each string ended by itself."""
