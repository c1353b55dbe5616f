"""ELIC's residual block with a bottleneck, by bands of rows where it goes fast."""

from __future__ import annotations

import torch
from compressai.models.sensetime import ResidualBottleneckBlock as Published
from torch import Tensor, nn

from codecspec.runtime.layers.bands import bands, reached, rectified_band
from codecspec.runtime.layers.pointwise import packed_of, pointwise, suits
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
        narrow, widen = (packed_of(conv) if suits(conv, x) else None for conv in (self.conv1, self.conv3))
        for first, last in bands(height, max(1, n * channels * width // TALLER), multiple=TILE):
            inner = _rectified(self.conv1, reached(x, first, last), narrow)
            inner = rectified_band(self.conv2, inner, first=first, last=last, height=height)
            rows = slice(first, last)
            _add(self.conv3, inner, x[:, :, rows], out[:, :, rows], widen)
        return out


def _rectified(conv: nn.Conv2d, x: Tensor, weight: Tensor | None) -> Tensor:
    """A 1x1 convolution, by its packed weight if it has one, and a ReLU."""
    return conv(x).relu_() if weight is None else pointwise(x, conv, relu_after=True, weight=weight)


def _add(conv: nn.Conv2d, x: Tensor, added: Tensor, out: Tensor, weight: Tensor | None) -> None:
    """A 1x1 convolution, likewise, and what is added to it, into `out`."""
    if weight is None:
        torch.add(conv(x), added, out=out)
    else:
        pointwise(x, conv, skip=added, out=out, weight=weight)
