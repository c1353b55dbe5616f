"""The cost of streams in a whole decode, and the noise that they tolerate, on the published models at full size.

    .venv/bin/python -m benchmarks.streams                 # shares of time and of bytes: some minutes
    .venv/bin/python -m benchmarks.streams --noise 200     # images of mixed sizes decoded under injected noise

Weights are initial ones (seed 0) with biases that spread the scales from 0.15 to 6, and latents are drawn from their
densities, so that files are as large as estimated. Times are CPU times of one thread, so that other load on the machine
matters little; compare the shares.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch

import codecspec as cs
from codecspec.runtime.codec import Codec
from codecspec.runtime.streams import chunk_coder, image_streams
from codecspec.runtime.streams.chunk_coder import ChunkReader, side_bytes
from codecspec.runtime.streams.container import Header, Picture, Stream
from codecspec.schema.errors import StreamError
from tests.runtime.streams.instrumented import (
    DrawingWriter,
    DriftingReader,
    decoded_symbols,
    drift,
    same_symbols,
    with_sane_scales,
)

MODELS = {"wacnn": 2.0, "stf": 2.0, "tcm": 2.0, "cca": 2.0, "elic": 3.0}
"""Model -> the share of its decoding, in percent, that may be other than network."""
HEIGHT, WIDTH = 512, 768
RUNS = 3
BITS_AT_HALF = 0.5 * HEIGHT * WIDTH
SIZES = [(128, 192), (192, 256), (256, 256), (130, 300)]
DRIFTS = [1e-6, 1e-5, 1e-4, 1e-3]


def model(name: str) -> Codec:
    torch.manual_seed(0)
    codec = with_sane_scales(cs.compile_spec(name))
    codec.prepare_tables()
    return codec


def coded(codec: Codec, height: int, width: int) -> tuple[Stream, list[Any]]:
    """A stream of latents that were drawn, and the symbols of each part."""
    header = Header(image_streams.model_of(codec), Picture(height, width), codec.stride)
    writer = DrawingWriter(header)
    size = codec.latent_size(height, width)
    with torch.no_grad():
        codec.latent_codec.code(torch.zeros(1, codec.y_channels, *size), size, writer)
    return Stream(header, writer.chunks()), writer.symbols


@contextmanager
def stopwatches() -> Iterator[Counter[str]]:
    """CPU seconds spent in what is no network, and of those in reconciling."""
    spent: Counter[str] = Counter()

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **options: Any) -> Any:
            start = time.process_time()
            try:
                return function(*args, **options)
            finally:
                spent[name] += time.process_time() - start

        return run

    with (
        patch.object(ChunkReader, "gaussian", timed("other", ChunkReader.gaussian)),
        patch.object(ChunkReader, "factorized", timed("other", ChunkReader.factorized)),
        patch.object(image_streams, "require_model", timed("other", image_streams.require_model)),
        patch.object(image_streams, "_require_parts", timed("other", image_streams._require_parts)),
        patch.object(Stream, "from_bytes", timed("other", Stream.from_bytes)),
        patch.object(chunk_coder, "reconcile", timed("reconcile", chunk_coder.reconcile)),
    ):
        yield spent


def shares() -> None:
    print("model      decode  not network  reconcile       file    bpp  syndromes  at 0.5 bpp")
    for name, allowed in MODELS.items():
        codec = model(name)
        stream, _ = coded(codec, HEIGHT, WIDTH)
        data = stream.to_bytes()
        totals, spents = [], []
        for _ in range(RUNS + 1):
            with stopwatches() as spent:
                start = time.process_time()
                image_streams.decode_image(codec, Stream.from_bytes(data))
                totals.append(time.process_time() - start)
            spents.append(spent)
        total, spent = min(zip(totals[1:], spents[1:], strict=True), key=lambda pair: pair[0])
        parts = codec.parts(HEIGHT, WIDTH)
        added = sum(side_bytes(part, "portable") - side_bytes(part, "exact") for part in parts)
        other, reconcile = (100 * spent[what] / total for what in ("other", "reconcile"))
        bpp = 8 * len(data) / (HEIGHT * WIDTH)
        times = f"{total:7.2f} s{other:11.2f} %{reconcile:9.2f} %"
        sizes = f"{len(data):9,} B{bpp:7.2f}{added:9} B{8 * 100 * added / BITS_AT_HALF:10.2f} %"
        print(f"{name:8}{times}{sizes}   (promised: under {allowed:g} %, 5 %, 1 %)", flush=True)


def survival(num_images: int) -> None:
    codecs = {name: model(name) for name in MODELS}
    outcomes = {rms: Counter[str]() for rms in DRIFTS}
    flips = dict.fromkeys(DRIFTS, 0)
    for i in range(num_images):
        name = list(MODELS)[i % len(MODELS)]
        height, width = SIZES[i // len(MODELS) % len(SIZES)]
        stream, symbols = coded(codecs[name], height, width)
        for rms in DRIFTS if i < max(20, num_images // 10) else [1e-5]:
            DriftingReader.num_flips = 0
            outcomes[rms][outcome(codecs[name], stream, symbols, rms, i)] += 1
            flips[rms] += DriftingReader.num_flips
        if i % 20 == 19:
            print(f"{i + 1} images", flush=True)
    for rms, counts in outcomes.items():
        total = sum(counts.values())
        print(
            f"noise {rms:g}: {counts['decoded']} of {total} to the encoder's symbols, {counts['refused']} refused, "
            f"{counts['wrong']} wrong; {flips[rms] / total:.1f} flips an image"
        )


def outcome(codec: Codec, stream: Stream, symbols: list[Any], rms: float, seed: int) -> str:
    picture = stream.header.picture
    try:
        with drift(rms, seed), torch.no_grad():
            reader = image_streams.ChunkReader(stream)
            codec.latent_codec.code(None, codec.latent_size(picture.height, picture.width), reader)
            reader.finish()
    except StreamError:
        return "refused"
    return "decoded" if same_symbols(symbols, decoded_symbols()) else "wrong"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--noise", type=int, metavar="N", help="decode N images under injected noise instead")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.noise:
        survival(arguments.noise)
    else:
        shares()


if __name__ == "__main__":
    main()
