"""The window-attention gate of WACNN (Zou, Song, Zhang, CVPR 2022, section 3.2)."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from codecspec.runtime.layers.pointwise import pointwise, suits
from codecspec.runtime.layers.two_ways import TwoWays
from codecspec.runtime.layers.windowed_attention import WindowedAttention


class ResidualUnit(TwoWays):
    """GELU(x + conv(x)), conv = 1x1 to half the channels, GELU, 3x3, GELU, 1x1 back."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.conv = nn.Sequential(
            nn.Conv2d(channels, half, 1),
            nn.GELU(),
            nn.Conv2d(half, half, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(half, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        first, last = cast(nn.Conv2d, self.conv[0]), cast(nn.Conv2d, self.conv[-1])
        if self.goes_fast_on_cpu(x) and suits(first, x) and suits(last, x):
            half = self.conv[2](pointwise(x, first, gelu_after=True))
            return pointwise(half, last, gelu_before=True, skip=x, gelu_after=True)
        return F.gelu(x + self.conv(x))


class WindowGate(nn.Module):
    """x + conv_a(x) * sigmoid(conv_b(x)).

           ┌─► residual units ───────────────────────────────────► a ─┐
        x ─┼─► windowed attention ─► residual units ─► 1x1 ─► sigmoid ─┴─► * ─► + ─► out
           └───────────────────────────────────────────────────────────────────┘

    Args:
        channels: C.
        num_heads: attention heads.
        window: side of a window in positions.
        shift: cyclic shift of the windows in positions.
        num_units: residual units in each branch.
    """

    def __init__(self, channels: int, *, num_heads: int, window: int, shift: int, num_units: int) -> None:
        super().__init__()
        self.conv_a = nn.Sequential(*(ResidualUnit(channels) for _ in range(num_units)))
        self.conv_b = nn.Sequential(
            WindowedAttention(channels, num_heads=num_heads, window=window, shift=shift),
            *(ResidualUnit(channels) for _ in range(num_units)),
            nn.Conv2d(channels, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return x + self.conv_a(x) * torch.sigmoid(self.conv_b(x))
