"""Streams decode where the networks round otherwise: other threads, memory formats and kernels, and injected noise."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import pytest
import torch

from codecspec.runtime.codec import Codec
from codecspec.runtime.streams.container import Stream
from codecspec.runtime.streams.image_streams import decode_image, encode_image
from codecspec.schema.errors import StreamError
from tests.runtime.small_codecs import SMALL, images, small
from tests.runtime.streams.instrumented import (
    DrawingWriter,
    DriftingReader,
    decoded_symbols,
    drift,
    recorded_encode,
    same_symbols,
    with_sane_scales,
)

PORTABLE = [name for name in sorted(SMALL) if small(name).portable and "factorized" not in name and name != "cca-aux"]
"""Those whose scales are computed, and not position by position."""
NUM_IMAGES = 200
SIDES = [(64, 64), (100, 76), (128, 192), (192, 128), (130, 260), (256, 256)]


@pytest.mark.slow
def test_200_of_200_images_survive_noise_of_1e_5_on_every_heads_outputs() -> None:
    """Mixed sizes and models; latents alternate between those of the image and draws from all over the densities."""
    codecs = [with_sane_scales(small(name)) for name in PORTABLE]
    DriftingReader.num_flips = 0
    for i in range(NUM_IMAGES):
        codec = codecs[i % len(codecs)]
        x = images(1, *SIDES[i // len(codecs) % len(SIDES)], seed=i)
        options = {"writer": DrawingWriter} if i % 2 else {}
        stream, symbols = recorded_encode(codec, x, **options)
        with drift(1e-5, seed=i):
            decode_image(codec, Stream.from_bytes(stream.to_bytes()))
        assert same_symbols(symbols, decoded_symbols()), f"image {i}"
    assert DriftingReader.num_flips > 30, "or nothing had to be repaired"


@pytest.mark.slow
@pytest.mark.parametrize("rms", [1e-2, 1e-1, 1.0])
def test_noise_beyond_repair_is_detected_in_every_case(rms: float) -> None:
    """Where all symbols come out right there was nothing to detect; else there is no image, and a slice is named."""
    codecs = [with_sane_scales(small(name)) for name in PORTABLE]
    detected = 0
    for i in range(60):
        codec = codecs[i % len(codecs)]
        stream, symbols = recorded_encode(codec, images(1, 128, 128, seed=i))
        try:
            with drift(rms, seed=i):
                decode_image(codec, stream)
        except StreamError as error:
            detected += 1
            assert error.code == "E-stream-drift"
            assert "y" in error.where
        else:
            assert same_symbols(symbols, decoded_symbols())
    assert detected >= 50


Setting = Callable[[Codec], AbstractContextManager[None]]


def threads(number: int) -> Setting:
    @contextmanager
    def setting(codec: Codec) -> Iterator[None]:
        before = torch.get_num_threads()
        torch.set_num_threads(number)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    return setting


@contextmanager
def channels_last(codec: Codec) -> Iterator[None]:
    codec.to(memory_format=torch.channels_last)
    try:
        yield
    finally:
        codec.to(memory_format=torch.contiguous_format)


@contextmanager
def without_onednn(codec: Codec) -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of TF32, which the context sets beside
        with torch.backends.mkldnn.flags(enabled=False):
            yield


SETTINGS: dict[str, Setting] = {
    "1 thread": threads(1),
    "2 threads": threads(2),
    "4 threads": threads(4),
    "channels_last": channels_last,
    "without oneDNN": without_onednn,
    "plain": lambda codec: nullcontext(),
}


@pytest.mark.parametrize("name", PORTABLE)
def test_streams_cross_between_all_settings(name: str) -> None:
    """Each setting's stream is decoded by all of them, to the same symbols."""
    codec = with_sane_scales(small(name))
    x = images(1, 130, 190)
    streams = {}
    for setting, entered in SETTINGS.items():
        with entered(codec):
            streams[setting] = recorded_encode(codec, x)
    for written, (stream, symbols) in streams.items():
        for read, entered in SETTINGS.items():
            with entered(codec), drift(0):
                decode_image(codec, stream)
            assert same_symbols(symbols, decoded_symbols()), f"written with {written}, read with {read}"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
@pytest.mark.parametrize("name", PORTABLE)
def test_streams_cross_between_cpu_and_gpu(name: str) -> None:
    codec = with_sane_scales(small(name))
    for seed in range(8):
        x = images(1, 130, 190, seed)
        ours = encode_image(codec.cpu(), x)
        image = decode_image(codec, ours)
        theirs = encode_image(codec.cuda(), x.cuda())
        assert float((decode_image(codec, ours).cpu() - image).abs().max()) < 1e-3
        assert float((decode_image(codec.cpu(), theirs) - image).abs().max()) < 1e-3
