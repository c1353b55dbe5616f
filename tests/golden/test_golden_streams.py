"""Golden streams: fixed symbols under fixed tables are these bytes, by both coders; they change only with a version.

CODECSPEC_WRITE_GOLDEN=1 pytest tests/golden/test_golden_streams.py     # after such a change, and only then
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from codecspec.runtime.compressai_classes import EntropyBottleneck, GaussianConditional
from codecspec.runtime.streams.chunk_coder import ChunkReader, ChunkWriter
from codecspec.runtime.streams.container import (
    CODERS,
    PROFILES,
    VERSION,
    Coder,
    Header,
    Model,
    Picture,
    Profile,
    Stream,
)

FOLDER = Path(__file__).parent / "streams"
SCALES = [0.11, 0.5, 2.0, 8.0]


def bottleneck() -> EntropyBottleneck:
    model = EntropyBottleneck(2)
    model._offset = torch.tensor([-1, -2], dtype=torch.int32)
    model._cdf_length = torch.tensor([5, 6], dtype=torch.int32)
    model._quantized_cdf = torch.tensor(
        [[0, 10_000, 50_000, 65_000, 65_536, 0], [0, 1, 20_000, 40_000, 65_535, 65_536]], dtype=torch.int32
    )
    return model


def gaussian() -> GaussianConditional:
    """Tables of 3, 5, 9 and 33 values, all as likely, and the escape."""
    model = GaussianConditional(None)
    sizes = [3, 5, 9, 33]
    model.scale_table = torch.tensor(SCALES)
    model._offset = torch.tensor([-(size // 2) for size in sizes], dtype=torch.int32)
    model._cdf_length = torch.tensor([size + 2 for size in sizes], dtype=torch.int32)
    model._quantized_cdf = torch.zeros(4, 35, dtype=torch.int32)
    for row, size in zip(model._quantized_cdf, sizes, strict=True):
        row[: size + 2] = torch.tensor([*((65_500 * s) // size for s in range(size + 1)), 65_536])
    return model


def numbers(count: int, modulus: int, seed: int) -> np.ndarray:
    """The same on every machine: a linear congruence."""
    values = np.zeros(count, np.int64)
    state = seed
    for i in range(count):
        state = (state * 1_103_515_245 + 12_345) % (1 << 31)
        values[i] = (state >> 8) % modulus
    return values


Z = (numbers(12, 5, 1) - 2).astype(np.int32)
CHANNELS = np.repeat(np.arange(2, dtype=np.int32), 6)
Y_SCALES = np.array([0.0, 0.11, 0.1100001, 0.49, 0.5, 0.7, 1.9, 3.0, 9.0, -1.0], np.float32)[numbers(150, 10, 2)]
Y = (numbers(150, 9, 3) - 4).astype(np.int32)
Y[[7, 70, 140]] = [-(2**30), 1000, 2**30]
NONE = np.zeros(0, np.int32)


def header(coder: Coder, profile: Profile) -> Header:
    model = Model(bytes(range(8)), bytes(range(8, 16)), bytes(range(16, 24)))
    return Header(model, Picture(300, 200, channels=1, bit_depth=16), 64, coder, profile)


def written(coder: Coder, profile: Profile) -> Stream:
    writer = ChunkWriter(header(coder, profile))
    y, z = gaussian(), bottleneck()
    writer.code_by_channel("z", z, CHANNELS, Z[None])
    writer.code_under_scales("y", y, Y_SCALES[None], Y[None])
    writer.code_under_scales("y, anchors", y, Y_SCALES[None, :20], Y[None, :20])
    writer.code_under_scales("y, the rest", y, Y_SCALES[None, :0], NONE[None])
    for turn in writer.turns("y", y, 1):
        for start in range(0, 150, 50):
            turn.code(Y_SCALES[start : start + 50], Y[start : start + 50])
    return Stream(writer.header, writer.chunks())


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("coder", CODERS)
def test_fixed_symbols_are_exact_bytes_there_and_back(coder: Coder, profile: Profile) -> None:
    path = FOLDER / f"version-{VERSION}-{coder}-{profile}.csp"
    data = written(coder, profile).to_bytes()
    if os.environ.get("CODECSPEC_WRITE_GOLDEN"):
        path.write_bytes(data)
    assert data.hex() == path.read_bytes().hex()
    stream = Stream.from_bytes(path.read_bytes())
    assert stream.labels() == ["z", "slice 0 of y", "slice 1 of y, anchors", "slice 1 of y, the rest", "slice 2 of y"]
    reader = ChunkReader(stream)
    y, z = gaussian(), bottleneck()
    assert np.array_equal(reader.code_by_channel("z", z, CHANNELS, None)[0], Z)
    assert np.array_equal(reader.code_under_scales("y", y, Y_SCALES[None], None)[0], Y)
    assert np.array_equal(reader.code_under_scales("y, anchors", y, Y_SCALES[None, :20], None)[0], Y[:20])
    assert reader.code_under_scales("y, the rest", y, Y_SCALES[None, :0], None).shape == (1, 0)
    for turn in reader.turns("y", y, 1):
        for start in range(0, 150, 25):
            assert np.array_equal(turn.code(Y_SCALES[start : start + 25], None), Y[start : start + 25])
    reader.finish()
