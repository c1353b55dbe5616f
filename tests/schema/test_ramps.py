"""Ramps are CompressAI's `sequential_channel_ramp`, to the last bit of torch's float32."""

from __future__ import annotations

import random

import pytest
from compressai.layers import sequential_channel_ramp
from torch import nn

from codecspec.schema.leaves import RampSpec


def theirs(c_in: int, c_out: int, layers: int, least: int) -> list[int]:
    def layer(before: int, after: int) -> nn.Module:
        module = nn.Identity()
        module.out_channels = after
        return module

    net = sequential_channel_ramp(
        c_in, c_out, min_ch=least, num_layers=layers, make_layer=layer, make_act=nn.ReLU, skip_last_act=True
    )
    return [module.out_channels for module in net if not isinstance(module, nn.ReLU)][:-1]


@pytest.mark.parametrize(
    ("c_in", "c_out", "widths"),
    [(416, 32, (384, 384)), (640, 128, (469, 384)), (1152, 384, (896, 640)), (1, 900, (384, 600)), (7, 7, (384, 384))],
)
def test_ramps_of_elic(c_in: int, c_out: int, widths: tuple[int, ...]) -> None:
    assert RampSpec(ramp=3, min=384).widths(c_in, c_out) == widths


def test_a_ramp_of_one_layer_has_no_hidden_width() -> None:
    assert RampSpec(ramp=1).widths(8, 4) == ()


def test_any_ramp_is_theirs() -> None:
    """Thousands of layers' widths; where a line passes an integer, the last bit of a float32 decides."""
    draw = random.Random(0)
    for _ in range(5000):
        c_in, c_out, layers, least = (
            draw.randint(1, 5000),
            draw.randint(1, 3000),
            draw.randint(1, 64),
            draw.randint(0, 9),
        )
        ours = RampSpec(ramp=layers, min=least).widths(c_in, c_out)
        assert list(ours) == theirs(c_in, c_out, layers, least), (c_in, c_out, layers)
