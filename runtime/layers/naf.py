"""Blocks without activations (Chen, Chu, Zhang, Sun, NAFNet, ECCV 2022), as CCA has them (Han et al., NeurIPS 2024)."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from codecspec.runtime.layers.map_mean import MapMean
from codecspec.runtime.layers.two_ways import TwoWays

EPS = 1e-6
"""Of the norms over channels."""


class Gate(nn.Module):
    """One half of the channels times the other: (N, 2 * C, H, W) -> (N, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, 2 * C, H, W) -> (N, C, H, W)."""
        u, v = x.chunk(2, dim=1)
        return u * v


class NAFBlock(TwoWays):
    """x + beta * conv half, then + gamma * feed-forward half.

        x ─┬─► norm1 ─► pointwise_depthwise ─► s ─┬──────────────────────► * ─► project ─► * beta ─► + ─► u
           │                                      └─► channel_attention ───┘                         │
           └─────────────────────────────────────────────────────────────────────────────────────────┘
        u ─┬─► norm2 ─► feed_forward ─► * gamma ─► + ─► out
           └───────────────────────────────────────┘

    pointwise_depthwise is 1x1 to 2C, depthwise 3x3, gate; channel_attention the mean over all positions, 1x1;
    feed_forward 1x1 to 2C, gate, 1x1.

    The fast way keeps the channels of a position together in memory, so that norms are one pass, and takes the scales
    (channel attention, beta, gamma) into the small weights of the convolutions beside them, not into maps.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        wide = 2 * channels
        self.norm1 = nn.LayerNorm(channels, eps=EPS)
        self.pointwise_depthwise = nn.Sequential(
            nn.Conv2d(channels, wide, 1),
            nn.Conv2d(wide, wide, 3, padding=1, groups=wide),
            Gate(),
        )
        self.channel_attention = nn.Sequential(MapMean(), nn.Conv2d(channels, channels, 1))
        self.project = nn.Conv2d(channels, channels, 1)
        self.norm2 = nn.LayerNorm(channels, eps=EPS)
        self.feed_forward = nn.Sequential(
            nn.Conv2d(channels, wide, 1),
            Gate(),
            nn.Conv2d(channels, channels, 1),
        )
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.gamma = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        if self.goes_fast():
            return self._fast(x)
        s = self.pointwise_depthwise(_over_channels(self.norm1, x))
        u = x + self.beta * self.project(s * self.channel_attention(s))
        out: Tensor = u + self.gamma * self.feed_forward(_over_channels(self.norm2, u))
        return out

    def _fast(self, x: Tensor) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        s = self.pointwise_depthwise(_along_channels(self.norm1, x))
        attention = self.channel_attention(s)
        one = len(x) == 1
        u = _scaled(self.project, s if one else s * attention, self.beta, attention if one else None).add_(x)
        widen, gate, narrow = self.feed_forward
        h = gate(widen(_along_channels(self.norm2, u)))
        return _scaled(cast(nn.Conv2d, narrow), h, self.gamma).add_(u)


def _along_channels(norm: nn.Module, x: Tensor) -> Tensor:
    """As `_over_channels`, and what comes out is channels_last, as x is."""
    normed: Tensor = norm(x.permute(0, 2, 3, 1))
    return normed.permute(0, 3, 1, 2)


def _scaled(conv: nn.Conv2d, x: Tensor, out_scale: Tensor, in_scale: Tensor | None = None) -> Tensor:
    """out_scale * conv(in_scale * x) for a convolution with a bias; both scales are (1, C, 1, 1)."""
    weight = conv.weight * out_scale.view(-1, 1, 1, 1)
    if in_scale is not None:
        weight = weight * in_scale
    bias = None if conv.bias is None else conv.bias * out_scale.flatten()
    return F.conv2d(x, weight, bias)


def _over_channels(norm: nn.Module, x: Tensor) -> Tensor:
    """A norm over the last axis, applied to the channels of (N, C, H, W)."""
    normed: Tensor = norm(x.permute(0, 2, 3, 1))
    return normed.permute(0, 3, 1, 2).contiguous()


class NAFTransform(nn.Module):
    """CCA's net over the support of a slice.

        x ─► input_projection ─► u ─┬─► blocks ─► + ─► output_projection ─► out
                                    └─────────────┘

    Args:
        channels: C of the support.
        width: channels of u.
        depth: NAF blocks.
    """

    def __init__(self, channels: int, *, width: int, depth: int) -> None:
        super().__init__()
        self.input_projection = nn.Conv2d(channels, width, 1)
        self.blocks = nn.Sequential(*(NAFBlock(width) for _ in range(depth)))
        self.output_projection = nn.Conv2d(width, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        u = self.input_projection(x)
        out: Tensor = self.output_projection(u + self.blocks(u))
        return out
