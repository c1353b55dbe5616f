"""Coders that tests look into: the symbols of both sides, decoders that drift, latents drawn from their densities."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from codecspec.runtime.codec import Codec
from codecspec.runtime.coding_tables import coding_tables, gaussian_indexes, lower_bound
from codecspec.runtime.latent_codecs.channel_groups import ChannelGroupsLatentCodec
from codecspec.runtime.latent_codecs.entropy_bottleneck import EntropyBottleneckLatentCodec
from codecspec.runtime.latent_codecs.lrp_gaussian import LRPGaussianLatentCodec
from codecspec.runtime.latent_codecs.mean_scale_head import MeanScaleContextHead
from codecspec.runtime.latent_codecs.raster_scan import RasterScanLatentCodec
from codecspec.runtime.streams import image_streams
from codecspec.runtime.streams.chunk_coder import ChunkReader, ChunkWriter
from codecspec.runtime.streams.container import Stream


class Recorder:
    """Keeps the symbols of each part, whichever way they went."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.symbols: list[np.ndarray] = []
        _LAST[type(self)] = self

    def code_under_scales(self, *args: Any) -> Any:
        coded = super().code_under_scales(*args)
        self.symbols.append(coded[0].copy())
        return coded

    def code_by_channel(self, *args: Any) -> Any:
        coded = super().code_by_channel(*args)
        self.symbols.append(coded[0].copy())
        return coded


class RecordingWriter(Recorder, ChunkWriter):
    """The writer that a test looks at."""


class RecordingReader(Recorder, ChunkReader):
    """The reader that a test looks at."""


class DriftingReader(RecordingReader):
    """Multiplies raw scales and means, as they come from the heads, by 1 + rms * (normal noise)."""

    rms = 0.0
    generator = torch.Generator()
    num_flips = 0
    """Table indexes that the noise has changed, in all images so far."""

    def gaussian(self, part: str, model: Any, scales: Tensor, means: Tensor | None, y: Tensor | None) -> Tensor:
        noisy = self._noisy(scales)
        before, after = (gaussian_indexes(model, x.flatten().contiguous().numpy()) for x in (scales, noisy))
        type(self).num_flips += int((before != after).sum())
        return super().gaussian(part, model, noisy, None if means is None else self._noisy(means), y)

    def _noisy(self, values: Tensor) -> Tensor:
        return values * (1 + self.rms * torch.randn(values.shape, generator=self.generator))


class DrawingWriter(RecordingWriter):
    """Codes latents drawn from the densities that the model has for them, whatever the image."""

    generator = np.random.default_rng(0)

    def code_under_scales(self, part: str, model: Any, scales: Any, symbols: Any) -> Any:
        noise = self.generator.standard_normal(scales.shape)
        drawn = np.round(noise * np.maximum(scales, lower_bound(model))).astype(np.int32)
        return super().code_under_scales(part, model, scales, drawn)

    def code_by_channel(self, part: str, model: Any, channels: Any, symbols: Any) -> Any:
        tables = coding_tables(model)
        counts = self.generator.integers(0, 1 << 16, len(channels))
        rows = np.split((tables.entries >> 16).astype(np.uint16), tables.starts[1:])
        drawn = [
            np.searchsorted(rows[row][: tables.escapes[row]], count, "right") - 1
            for row, count in zip(channels, counts, strict=True)
        ]
        inside = np.array(drawn)
        return super().code_by_channel(
            part, model, channels, (inside + tables.offsets[channels]).astype(np.int32)[None]
        )

    def turns(self, part: str, model: Any, num_images: int) -> Any:
        for turn in super().turns(part, model, num_images):
            code = turn.code

            def drawn(scales: Any, symbols: Any, code: Any = code) -> Any:
                noise = self.generator.standard_normal(scales.shape)
                return code(scales, np.round(noise * np.maximum(scales, lower_bound(model))).astype(np.int32))

            turn.code = drawn
            yield turn


_LAST: dict[type, Recorder] = {}


@contextmanager
def drift(rms: float, seed: int = 0) -> Iterator[None]:
    """Streams are decoded with noise of this rms, relative, on every head's outputs."""
    DriftingReader.rms = rms
    DriftingReader.generator = torch.Generator().manual_seed(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image_streams, "ChunkReader", DriftingReader)
        yield


def recorded_encode(
    codec: Codec, x: Tensor, writer: type[RecordingWriter] = RecordingWriter, **options: Any
) -> tuple[Stream, list[np.ndarray]]:
    """The stream, and the symbols of each part."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image_streams, "ChunkWriter", writer)
        stream = image_streams.encode_image(codec, x, **options)
    return stream, _LAST[writer].symbols


def decoded_symbols() -> list[np.ndarray]:
    """Of the last stream that was decoded under `drift`."""
    return _LAST[DriftingReader].symbols


def same_symbols(ours: list[np.ndarray], theirs: list[np.ndarray]) -> bool:
    return len(ours) == len(theirs) and all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


def with_sane_scales(codec: Codec) -> Codec:
    """Biases added where scales come from, so that a latent's scales go from 0.15 to 6, channel by channel."""
    latent = codec.latent_codec
    y = latent.y
    if isinstance(y, ChannelGroupsLatentCodec):
        for key, leaf in y.latent_codec.items():
            head = dict(y.channel_context.items()).get(key)
            _widen(leaf, head.scale_cc if isinstance(head, MeanScaleContextHead) else None)
    elif isinstance(y, EntropyBottleneckLatentCodec):
        y.entropy_bottleneck.matrices[0].data -= 2  # as wide
        codec.update(force=True, update_quantiles=True)  # tables of the whole density, as training comes to it
    else:
        _widen(y, latent.h_s)
    return codec


def _widen(leaf: Any, net: Any) -> None:
    """The scales of a leaf come from its own net, where it has one, or else from `net`; beside its means, or alone."""
    net = getattr(leaf, "entropy_parameters", net)
    layer = [module for module in net.modules() if isinstance(module, nn.Conv2d | nn.ConvTranspose2d)][-1]
    alone = isinstance(leaf, LRPGaussianLatentCodec)
    chunks = ("scales",) if alone else getattr(leaf, "y", leaf).chunks
    width = layer.out_channels // len(chunks)
    if isinstance(leaf, RasterScanLatentCodec):  # what it decodes feeds itself
        leaf.context_prediction.weight.data *= 0.1
    start = chunks.index("scales") * width
    layer.bias.data[start : start + width] += torch.logspace(-1, 0.8, width)
