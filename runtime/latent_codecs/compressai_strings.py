"""Latents as CompressAI's strings: for each part one string per image, which CompressAI itself decodes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from codecspec.runtime.coding_tables import coding_tables, gaussian_indexes
from codecspec.runtime.compressai_classes import EntropyBottleneck, EntropyModel, GaussianConditional
from codecspec.runtime.entropy_coding import compressai_coder
from codecspec.runtime.latent_codecs.symbol_coder import Scales, SymbolCoder, Symbols, Turn, WrittenTurn, given
from codecspec.runtime.latent_codecs.symbols import Strings
from codecspec.schema.errors import StreamError


class StringWriter(SymbolCoder):
    """Codes into `strings`: for each part in coding order one string per image."""

    num_images = 0

    def __init__(self) -> None:
        self.strings: list[list[bytes]] = []

    def code_under_scales(
        self, part: str, model: GaussianConditional, scales: Scales, symbols: Symbols | None
    ) -> Symbols:
        written = given(symbols)
        indexes = [gaussian_indexes(model, image) for image in scales]
        self.strings.append([_encoded(model, *pair) for pair in zip(written, indexes, strict=True)])
        return written

    def code_by_channel(
        self, part: str, model: EntropyBottleneck, channels: Symbols, symbols: Symbols | None
    ) -> Symbols:
        written = given(symbols)
        self.strings.append([_encoded(model, image, channels) for image in written])
        return written

    def turns(self, part: str, model: GaussianConditional, num_images: int) -> Iterator[Turn]:
        self.strings.append([])
        for _ in range(num_images):
            turn = WrittenTurn(model)
            yield turn
            self.strings[-1].append(_encoded(model, *turn.whole()))


class StringReader(SymbolCoder):
    """Decodes `strings`, part by part."""

    def __init__(self, strings: Strings) -> None:
        self._parts = iter(strings)
        self._num_images = len(strings[0])

    @property
    def num_images(self) -> int:
        return self._num_images

    def code_under_scales(
        self, part: str, model: GaussianConditional, scales: Scales, symbols: Symbols | None
    ) -> Symbols:
        indexes = [gaussian_indexes(model, image) for image in scales]
        return _decoded(model, part, self._next(part, len(scales)), indexes)

    def code_by_channel(
        self, part: str, model: EntropyBottleneck, channels: Symbols, symbols: Symbols | None
    ) -> Symbols:
        strings = self._next(part, self.num_images)
        return _decoded(model, part, strings, [channels] * len(strings))

    def turns(self, part: str, model: GaussianConditional, num_images: int) -> Iterator[Turn]:
        for string in self._next(part, num_images):
            turn = _ReadTurn(model, string)
            yield turn
            turn.decoder.finish()

    def _next(self, part: str, num_images: int) -> list[bytes]:
        strings = list(next(self._parts))
        if len(strings) != num_images:
            raise StreamError("E-stream", part, f"{len(strings)} strings for {num_images} images")
        return strings


class _ReadTurn(Turn):
    """Symbols position by position, each decoded when its scales are known."""

    def __init__(self, model: GaussianConditional, string: bytes) -> None:
        self._model, self.decoder = model, compressai_coder.Decoder(string)

    def code(self, scales: Scales, symbols: Symbols | None) -> Symbols:
        return self.decoder.decode(gaussian_indexes(self._model, scales), coding_tables(self._model))


def _encoded(model: EntropyModel, symbols: Symbols, indexes: Symbols) -> bytes:
    """CompressAI's coder cannot code no symbols."""
    return compressai_coder.encode(symbols, indexes, coding_tables(model)) if len(symbols) else b""


def _decoded(model: EntropyModel, part: str, strings: list[bytes], indexes: list[Symbols]) -> Symbols:
    tables = coding_tables(model)
    images = [
        compressai_coder.decode(string, rows, tables, where=part) if len(rows) else rows
        for string, rows in zip(strings, indexes, strict=True)
    ]
    return np.stack(images)
