"""Convolutions, and what is computed with them in one go."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from torch import Tensor, nn

from codecspec.runtime.layers import winograd
from codecspec.runtime.layers.seen_maps import SeenMaps
from codecspec.runtime.layers.two_ways import FastOnCPU


class Conv2d(FastOnCPU, nn.Conv2d):
    """torch's, with a fast way (`winograd`) for large ones of kernels 3x3, and of 5x5 with stride 2."""

    def _fast(self, x: Tensor) -> Tensor:
        return winograd.convolved(self, x) if winograd.suits(self, x) else nn.Conv2d.forward(self, x)


def give_ways(module: nn.Module) -> None:
    """Make every convolution of torch's in `module` one that knows two ways. Published blocks make theirs by
    themselves, which is why it is done afterwards."""
    for layer in module.modules():
        if type(layer) is nn.Conv2d:
            layer.__class__ = Conv2d


def run_fused(layers: Iterable[nn.Module], seen: SeenMaps) -> Tensor:
    """What layers one after the other make of maps: convolutions read several maps where they lie, and apply the
    activation behind them; without gradients, on the CPU."""
    left = deque(layers)
    while left:
        layer = left.popleft()
        if isinstance(layer, nn.Conv2d) and winograd.suits(layer, *seen.parts):
            slope = slope_of(left[0]) if left else None
            if slope is not None:
                left.popleft()
            out = winograd.convolved(layer, *seen.parts, slope=1.0 if slope is None else slope)
        else:
            out = layer(seen.joined())
        seen = SeenMaps((out,))
    return seen.joined()


def slope_of(activation: nn.Module) -> float | None:
    """What an activation multiplies numbers below 0 by, and leaves the others as they are; None if that is not all."""
    if isinstance(activation, nn.ReLU):
        return 0.0
    return activation.negative_slope if isinstance(activation, nn.LeakyReLU) else None
