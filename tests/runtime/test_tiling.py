"""A transform in pieces gives what it gives whole."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
import torch

from codecspec import compile_spec
from codecspec.runtime.codec import Codec
from codecspec.runtime.layers.map_mean import MapMean
from codecspec.runtime.tile_plan import Block, Run, map_sizes
from codecspec.runtime.tiling import run_in_pieces
from tests.golden.golden_models import fill
from tests.runtime.small_codecs import small

FLOAT64_ERROR = 1e-12
C = 8
BLOCKS: dict[str, list[dict[str, Any]]] = {
    "conv": [{"type": "conv", "out": C, "kernel": 5}],
    "conv, stride 2": [{"type": "conv", "out": C, "kernel": 5, "stride": 2}],
    "conv, stride 3, kernel 1": [{"type": "conv", "out": C, "kernel": 1, "stride": 3}],
    "deconv": [{"type": "deconv", "out": C, "kernel": 5, "stride": 2}],
    "deconv to few channels": [{"type": "deconv", "out": 3, "kernel": 7, "stride": 3}],
    "subpel": [{"type": "subpel", "out": C, "kernel": 3}],
    "gdn": [{"type": "gdn"}],
    "gelu": [{"type": "gelu"}],
    "residual": [{"type": "residual", "out": C}],
    "residual_stride": [{"type": "residual_stride", "out": C}],
    "residual_upsample": [{"type": "residual_upsample", "out": C}],
    "residual_bottleneck": [{"type": "residual_bottleneck"}],
    "attention": [{"type": "attention"}],
    "window_gate": [{"type": "window_gate", "heads": 2, "window": 4}],
    "window_gate, shifted": [{"type": "window_gate", "heads": 2, "window": 4, "shift": 2}],
    "conv_trans": [{"type": "conv_trans", "head_dim": 2, "window": 4}],
    "conv_trans, shifted": [{"type": "conv_trans", "head_dim": 2, "window": 4, "shift": 2}],
    "swin": [{"type": "swin", "heads": 2, "window": 4}],
    "swin, shifted by one": [{"type": "swin", "heads": 2, "window": 3, "shift": 1}],
    "swin, shifted by two": [{"type": "swin", "heads": 2, "window": 3, "shift": 2}],
    "patch_embed": [{"type": "patch_embed", "out": C, "patch": 2}],
    "patch_merge": [{"type": "patch_merge"}],
    "patch_split": [{"type": "patch_split"}],
    "naf": [{"type": "naf"}],
    "naf twice, nested": [{"type": "sequence", "blocks": [{"type": "naf"}, {"type": "naf"}]}],
}
"""Each kind that a transform may have, by itself."""
SMALLER = {"conv, stride 2": 2, "conv, stride 3, kernel 1": 3, "residual_stride": 2, "patch_embed": 2, "patch_merge": 2}
LARGER = {"deconv": 2, "deconv to few channels": 3, "subpel": 2, "residual_upsample": 2, "patch_split": 2}
"""What some of them make of the resolution."""


def codec_of(kind: str) -> Codec:
    """A codec whose g_a is a 1x1 convolution to C channels, then the blocks of `kind`."""
    first = {"type": "conv", "out": C, "kernel": 1, "stride": LARGER.get(kind, 1)}
    spec = {
        "codecspec": 1,
        "name": "one",
        "g_a": [first, *BLOCKS[kind]],
        "g_s": [{"type": "deconv", "out": 3, "stride": SMALLER.get(kind, 1)}],
        "latent_codec": {"type": "factorized", "y": {"type": "entropy_bottleneck"}},
    }
    codec = compile_spec(spec)
    fill(codec, 1.0)
    return codec.double()


def random_runs(blocks: Sequence[Block], height: int, width: int, dice: random.Random) -> list[Run]:
    """The blocks cut into runs, and these into tiles, in some way."""
    rows, columns = map_sizes(blocks, height), map_sizes(blocks, width)

    def tile(last: int) -> tuple[int, int]:
        return dice.randint(-(-rows[last] // 5), rows[last]), dice.randint(-(-columns[last] // 5), columns[last])

    inner = range(1, len(blocks))
    cuts = [0, *sorted(dice.sample(inner, min(len(inner), dice.randrange(3)))), len(blocks)]
    runs = []
    for first, last in pairwise(cuts):
        of_run = tile(last)
        pooled = [i + 1 for i in range(first, last) if blocks[i].pools]
        surveys = [Run(first, end, *tile(end)) for end in pooled] if of_run != (rows[last], columns[last]) else []
        runs.append(Run(first, last, *of_run, tuple(surveys)))
    return runs


def require_equal(codec: Codec, name: str, x: torch.Tensor, dice: random.Random) -> torch.Tensor:
    """Run a transform whole and in pieces; returns what it gives."""
    transform, blocks = getattr(codec, name), getattr(codec.memory_needs, name)
    fast = codec.numerics == "fast"
    with torch.no_grad():
        whole: torch.Tensor = transform(x)
        runs = random_runs(blocks, *x.shape[-2:], dice)
        maps = torch.channels_last if fast else torch.contiguous_format
        pieces = run_in_pieces(transform, blocks, runs, x, maps)
    assert pieces.shape == whole.shape
    assert (pieces - whole).abs().max() <= FLOAT64_ERROR * whole.abs().max(), runs
    return whole


@pytest.mark.parametrize("numerics", ["reference", "fast"])
@pytest.mark.parametrize("kind", BLOCKS)
def test_each_kind_by_itself(kind: str, numerics: Any) -> None:
    codec, dice = codec_of(kind), random.Random(0)
    codec.numerics = numerics
    for _ in range(6):
        height, width = (dice.randint(1, 5) * 2 * codec.stride * 3 for _ in range(2))
        x = torch.rand(dice.choice([1, 2]), 3, height, width, dtype=torch.float64)
        require_equal(codec, "g_a", x, dice)


@pytest.mark.parametrize("name", ["wacnn", "tcm", "stf", "elic", "cca", "cheng2020-attn", "bmshj2018-hyperprior"])
def test_transforms_of_the_zoo(name: str) -> None:
    codec, dice = small(name).double(), random.Random(1)
    for numerics in ("reference", "fast"):
        codec.numerics = numerics  # type: ignore[assignment]
        x = torch.rand(1, 3, 2 * codec.stride, 3 * codec.stride, dtype=torch.float64)
        y = require_equal(codec, "g_a", x, dice)
        require_equal(codec, "g_s", y, dice)


def test_a_mean_is_forgotten_after_a_run_also_when_it_failed() -> None:
    codec = codec_of("naf")
    x = torch.rand(1, 3, 16, 16, dtype=torch.float64)
    blocks = codec.memory_needs.g_a
    half = Run(0, 2, 8, 16, (Run(0, 2, 16, 8),))
    with torch.no_grad():
        want = codec.g_a(x)
        run_in_pieces(codec.g_a, blocks, [half], x, torch.contiguous_format)
        assert torch.equal(codec.g_a(x), want)
        handle = codec.g_a[1].norm2.register_forward_pre_hook(lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run_in_pieces(codec.g_a, blocks, [half], x, torch.contiguous_format)
        handle.remove()
        assert torch.equal(codec.g_a(x), want)


def test_a_mean_of_what_was_not_all_seen_is_refused() -> None:
    mean = MapMean()
    with pytest.raises(RuntimeError, match="0 of 4 positions"):
        mean.settle(4, like=torch.ones(1))
