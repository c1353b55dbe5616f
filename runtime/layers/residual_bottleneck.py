"""ELIC's residual block with a bottleneck, by bands of rows where it goes fast."""

from __future__ import annotations

import torch
from compressai.models.sensetime import ResidualBottleneckBlock as Published
from torch import Tensor, nn

from codecspec.runtime.layers.bands import bands, reached, rectified_band
from codecspec.runtime.layers.two_ways import FastOnCPU


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
        out = torch.empty_like(x, memory_format=torch.channels_last)
        for first, last in bands(height, n * channels * width):
            inner = self.conv1(reached(x, first, last)).relu_()
            inner = rectified_band(self.conv2, inner, first=first, last=last, height=height)
            rows = slice(first, last)
            torch.add(self.conv3(inner), x[:, :, rows], out=out[:, :, rows])
        return out
