"""TCM's mixed block of convolution and transformer (Liu, Sun, Katto, CVPR 2023, section 3.2)."""

from __future__ import annotations

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from codecspec.runtime.layers.bands import bands
from codecspec.runtime.layers.residual_block import ResidualBlock
from codecspec.runtime.layers.transformer_block import TransformerBlock
from codecspec.runtime.layers.two_ways import TwoWays


class ConvTransBlock(TwoWays):
    """Half of the channels through a residual block, half through a transformer block.

                          ┌─► c ─► conv_block(c) + c ─┐
        x ─┬─► conv1_1 ───┤                           ├─► conv1_2 ─► + ─► out
           │              └─► t ─► trans_block(t) ────┘              │
           └─────────────────────────────────────────────────────────┘

    Args:
        channels: C, even.
        head_dim: channels of an attention head; divides C / 2.
        window: side of a window in positions.
        shift: cyclic shift of the windows in positions; the mask between regions is -inf.
    """

    def __init__(self, channels: int, *, head_dim: int, window: int, shift: int) -> None:
        super().__init__()
        half = channels // 2
        self.trans_block = TransformerBlock(
            half, num_heads=half // head_dim, window=window, shift=shift, masked=-math.inf
        )
        self.conv1_1 = nn.Conv2d(channels, channels, 1)
        self.conv1_2 = nn.Conv2d(channels, channels, 1)
        self.conv_block = ResidualBlock(half, half)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        if self.goes_fast_on_cpu(x):
            return self._fast(x)
        c, t = self.conv1_1(x).chunk(2, dim=1)
        c = self.conv_block(c) + c
        out: Tensor = x + self.conv1_2(torch.cat([c, self.trans_block(t)], dim=1))
        return out

    def _fast(self, x: Tensor) -> Tensor:
        """Each half by a convolution of its own, so that none is a strided view; the end by bands of rows."""
        n, channels, height, width = x.shape
        halves = zip(self.conv1_1.weight.chunk(2), cast(Tensor, self.conv1_1.bias).chunk(2), strict=True)
        c, t = (F.conv2d(x, weight, bias) for weight, bias in halves)
        c = self.conv_block(c).add_(c)
        t = self.trans_block(t)
        out = torch.empty_like(x)
        for first, last in bands(height, n * channels * width):
            rows = slice(first, last)
            both = torch.cat([c[:, :, rows], t[:, :, rows]], dim=1)
            torch.add(self.conv1_2(both), x[:, :, rows], out=out[:, :, rows])
        return out
