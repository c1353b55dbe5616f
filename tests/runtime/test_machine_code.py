"""When kernels compute what PyTorch's own functions else would."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from codecspec.runtime import machine_code
from codecspec.runtime.layers import naf_halves, pointwise, winograd
from codecspec.runtime.layers.conv import Conv2d
from codecspec.runtime.layers.deconv import Deconv
from codecspec.runtime.layers.gdn import GDN
from codecspec.runtime.layers.naf import NAFBlock
from codecspec.runtime.layers.residual_block import ResidualBlock
from codecspec.runtime.layers.residual_bottleneck import ResidualBottleneckBlock
from codecspec.runtime.layers.two_ways import choose_way
from codecspec.runtime.layers.window_gate import ResidualUnit
from codecspec.runtime.machine_code import kernels_take, runs_here

pytestmark = pytest.mark.skipif(not runs_here(), reason="no AVX2, or PyTorch runs on other threads")
CHANNELS = 32
QUESTIONS: dict[str, Callable[[Tensor], bool]] = {
    "any": kernels_take,
    "naf_halves": lambda x: naf_halves.suits(x, nn.Conv2d(CHANNELS, CHANNELS, 1).weight),
    "pointwise": lambda x: pointwise.suits(nn.Conv2d(CHANNELS, CHANNELS, 1), x),
    "winograd": lambda x: winograd.suits(nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1), x),
}
LAYERS: dict[str, Callable[[], nn.Module]] = {
    "bottleneck": lambda: ResidualBottleneckBlock(CHANNELS),
    "conv": lambda: Conv2d(CHANNELS, CHANNELS, 3, padding=1),
    "deconv": lambda: Deconv(CHANNELS, 3, 5, stride=2),
    "gdn": lambda: GDN(CHANNELS),
    "naf": lambda: NAFBlock(CHANNELS),
    "residual_block": lambda: ResidualBlock(CHANNELS, CHANNELS),
    "residual_unit": lambda: ResidualUnit(CHANNELS),
}


def maps() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(1, CHANNELS, 32, 32, generator=generator).contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("name", QUESTIONS)
def test_kernels_are_for_float32_on_the_cpu_outside_of_autocast(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    suits, x = QUESTIONS[name], maps()
    assert suits(x)
    assert not suits(x.double())
    assert not suits(x.to("meta"))
    with torch.autocast("cpu", torch.bfloat16):
        assert not suits(x)
        with torch.autocast("cpu", enabled=False):
            assert suits(x)
    monkeypatch.setattr(machine_code, "runs_here", lambda: False)
    assert not suits(x)


@pytest.mark.parametrize("name", LAYERS)
@torch.no_grad()
def test_inside_autocast_pytorch_computes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    layer, x = LAYERS[name]().eval(), maps()
    choose_way(layer, fast=True)
    expected = layer(x)
    for module in (naf_halves, pointwise, winograd):
        monkeypatch.setattr(module, "run_on_all_threads", None)
    with torch.autocast("cpu", torch.bfloat16):
        half = layer(x)
    assert not torch.equal(half, expected)
    torch.testing.assert_close(half.float(), expected, rtol=0.05, atol=0.05)
