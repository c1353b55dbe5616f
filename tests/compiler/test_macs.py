"""The plan's multiply-accumulates are torch's own count of the same codec, over two; what is done once per image, as
channel attention is, has no figure per pixel, and what a density does is coding."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from codecspec import load_spec, lower
from codecspec.compiler.plan import AUX, PARTS, part_of
from tests.runtime.small_codecs import SMALL, images, small

SIDE = 256
"""Pixels; a multiple of every stride and window of the zoo."""
NO_MACS = (".channel_attention", ".entropy_bottleneck")
"""Modules that torch counts and the plan does not."""


@pytest.mark.parametrize("name", sorted(SMALL))
def test_macs_are_half_of_torchs_flops(name: str) -> None:
    codec = small(name)
    codec.numerics = "reference"  # the fast way may multiply less
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        codec(images(1, SIDE, SIDE))
    counts = {path.removeprefix("Codec."): sum(ops.values()) for path, ops in counter.get_flop_counts().items()}
    modules = ("g_a", "g_s", "latent_codec.h_a", "latent_codec.h_s", "latent_codec.y", f"{AUX}.inner_codec")
    counted: dict[str, float] = dict.fromkeys((*PARTS, "aux"), 0.0)
    for module in modules:
        beside = sum(
            flops for path, flops in counts.items() if path.startswith(f"{module}.") and path.endswith(NO_MACS)
        )
        counted[part_of(module)] += (counts.get(module, 0) - beside) / 2 / SIDE**2
    planned = lower(load_spec(name, **SMALL[name])).macs_by_part()
    for part, macs in planned.items():
        assert float(macs) == pytest.approx(counted[part], rel=1e-6), part
