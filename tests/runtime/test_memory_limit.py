"""Coding within a bounded memory."""

from __future__ import annotations

import pytest
import torch

from codecspec import decode, encode
from codecspec.runtime import memory_limit
from codecspec.runtime.codec import Codec
from codecspec.runtime.tile_plan import plan_runs
from codecspec.schema.errors import BuildError, UsageError
from tests.runtime.small_codecs import images, small

ROUNDING = 2e-5
"""Of float32, between a transform whole and in pieces."""
SIZES = {"wacnn": (256, 320), "tcm": (256, 256), "elic": (256, 320), "cca": (256, 320), "stf": (256, 320)}


def tight(codec: Codec, height: int, width: int) -> int:
    """A limit, in bytes, under which the transforms have half of the memory that they would take for such an image."""
    limit = memory_limit.MemoryLimit(codec, 1)
    tall, wide = -(-height // codec.stride) * codec.stride, -(-width // codec.stride) * codec.stride
    blocks, sizes = codec.memory_needs.g_s, (tall // codec.y_stride, wide // codec.y_stride)
    room = 1e4
    while len(runs := plan_runs(blocks, *sizes, room) or ()) != 1 or runs[0].rows < tall:
        room *= 1.1
    return int(limit._besides(1, tall * wide) + 4 * max(0.5 * room, codec.memory_needs.latents * tall * wide))


@pytest.mark.parametrize("name", SIZES)
def test_a_stream_decodes_to_the_same_image_with_and_without_the_limit(name: str) -> None:
    codec = small(name)
    height, width = SIZES[name]
    x = images(1, height - 3, width - 5)
    limit = tight(codec, height, width)
    free, bound = encode(codec, x), encode(codec, x, max_memory=limit)
    decoded = [decode(codec, free), decode(codec, free, max_memory=limit), decode(codec, bound, max_memory=limit)]
    assert all((other - decoded[0]).abs().max() < ROUNDING for other in decoded[1:2])
    steps = [(255 * each).round() for each in decoded]
    apart = (steps[1] - steps[0]).abs()
    assert apart.max() <= 1, "in 8 bits the same image, but for values that fell just between two steps"
    assert apart.mean() < 1e-3
    assert (steps[2] - steps[0]).abs().mean() < 0.01, "but for latents that fell just between two symbols"
    with codec.limited(limit), torch.no_grad():
        pieces = codec(x)
    assert (pieces["x_hat"].clamp(0, 1) - decode(codec, bound)).abs().max() < ROUNDING


def test_the_limit_is_in_force_inside_the_context_alone() -> None:
    codec = small("bmshj2018-hyperprior")
    x = images(1, 64, 64)
    want = encode(codec, x)
    with codec.limited("3GB"):
        with codec.limited(None):
            assert codec.g_a.pieces is not None, "None leaves what is in force"
        assert encode(codec, x) == want, "an image that fits is coded as ever"
    assert codec.g_a.pieces is None
    assert codec.g_s.pieces is None


def test_gradients_flow_under_a_limit() -> None:
    codec = small("cca")
    with codec.limited("3GB"):
        codec(images(1, 64, 64))["x_hat"].mean().backward()
    assert codec.g_a[0].weight.grad is not None


@pytest.mark.parametrize("name", ["wacnn", "bmshj2018-factorized"])
def test_too_little_is_refused_with_what_is_enough(name: str) -> None:
    codec = small(name)
    data = encode(codec, images(1, 64, 64))
    with pytest.raises(
        BuildError, match=r"E-memory at max_memory: coding 64x64 .* takes 1\.\d\d GB, and 9 MB are allowed"
    ):
        encode(codec, images(1, 64, 64), max_memory="9MB")
    with pytest.raises(BuildError, match="E-memory"):
        decode(codec, data, max_memory="9MB")
    strings = codec.compress(images(2, 64, 64))
    with codec.limited("9MB"), pytest.raises(BuildError, match="coding 2 images of 64x64"):
        codec.decompress(**strings)
    with pytest.raises(UsageError, match="an amount of memory"):
        encode(codec, images(1, 64, 64), max_memory="much")


def test_what_an_error_calls_enough_is_enough() -> None:
    codec = small("stf")
    limit = memory_limit.MemoryLimit(codec, 10**6)
    with pytest.raises(BuildError) as caught:
        limit.require(1, 512, 768)
    least = float(caught.value.message.partition(" takes ")[2].split()[0])
    memory_limit.MemoryLimit(codec, int((least + 0.01) * 1e9)).require(1, 512, 768)
