"""ELIC's residual block with a bottleneck, by bands of rows where it goes fast."""

from __future__ import annotations

import torch
from compressai.models.sensetime import ResidualBottleneckBlock as Published
from torch import Tensor, nn

from codecspec.runtime.layers.bands import bands, reached, rectified_band
from codecspec.runtime.layers.pointwise import pointwise, suits
from codecspec.runtime.layers.two_ways import FastOnCPU
from codecspec.runtime.layers.winograd import TILE

TALLER = 4
"""Bands have so many times as many rows as those of other blocks: what is computed again at their edges, and threads
that wait for the last one at their end, cost more than maps that leave the caches."""


class ResidualBottleneckBlock(FastOnCPU, Published):
    """x + conv(x), conv = 1x1 to half the channels, ReLU, 3x3, ReLU, 1x1 back; CompressAI's.

    Args:
        channels: C, in and out.
    """

    conv1: nn.Conv2d
    conv2: nn.Conv2d
    conv3: nn.Conv2d

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels)

    def _fast(self, x: Tensor) -> Tensor:
        n, channels, height, width = x.shape
        x = x.contiguous(memory_format=torch.channels_last)
        out = torch.empty_like(x, memory_format=torch.channels_last)
        for first, last in bands(height, max(1, n * channels * width // TALLER), multiple=TILE):
            inner = _rectified(self.conv1, reached(x, first, last))
            inner = rectified_band(self.conv2, inner, first=first, last=last, height=height)
            rows = slice(first, last)
            _add(self.conv3, inner, x[:, :, rows], out[:, :, rows])
        return out


def _rectified(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """A 1x1 convolution and a ReLU."""
    return pointwise(x, conv, relu_after=True) if suits(conv, x) else conv(x).relu_()


def _add(conv: nn.Conv2d, x: Tensor, added: Tensor, out: Tensor) -> None:
    """A 1x1 convolution and what is added to it, into `out`."""
    if suits(conv, x):
        pointwise(x, conv, skip=added, out=out)
    else:
        torch.add(conv(x), added, out=out)
