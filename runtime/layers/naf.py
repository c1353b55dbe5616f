"""Blocks without activations (Chen, Chu, Zhang, Sun, NAFNet, ECCV 2022), as CCA has them (Han et al., NeurIPS 2024)."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from codecspec.runtime.layers import naf_halves
from codecspec.runtime.layers.bands import bands, conv_band, reached
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
        """By bands of rows, twice: what goes into the channel attention, over all positions, comes first."""
        x = x.contiguous(memory_format=torch.channels_last)
        out = torch.empty_like(x)
        if naf_halves.suits(x, self.project.weight):
            return self._in_two_passes(x, out)
        images = [(x[i : i + 1], out[i : i + 1]) for i in range(len(x))]
        means = torch.cat([self._gated(*image) for image in images])
        mean, attend = self.channel_attention
        attention = attend(mean(out) if cast(MapMean, mean).in_pieces else means)
        for image, own in zip(images, attention.split(1), strict=True):
            self._finished(*image, own)
        return out

    def _in_two_passes(self, x: Tensor, out: Tensor) -> Tensor:
        widen, depthwise, _ = self.pointwise_depthwise
        means = naf_halves.gated(x, self.norm1, cast(nn.Conv2d, widen), cast(nn.Conv2d, depthwise), out)
        mean, attend = self.channel_attention
        means = mean(out) if cast(MapMean, mean).in_pieces else means
        attention = naf_halves.attended(cast(nn.Conv2d, attend), means)
        project = self.project, self.beta
        naf_halves.finish(x, out, attention, project, self.norm2, self.feed_forward, self.gamma)
        return out

    def _gated(self, x: Tensor, out: Tensor) -> Tensor:
        """What goes into the channel attention, s, into `out`; gives its mean over all positions, (1, C, 1, 1)."""
        widen, depthwise, _ = self.pointwise_depthwise
        height, width = x.shape[-2:]
        total = x.new_zeros(1, x.shape[1], 1, 1)
        for first, last in bands(height, 2 * x.shape[1] * width):
            h = widen(_along_channels(self.norm1, reached(x, first, last)))
            u, v = conv_band(cast(nn.Conv2d, depthwise), h, first=first, last=last, height=height).chunk(2, dim=1)
            s = out[:, :, first:last]
            total += torch.mul(u, v, out=s).sum((2, 3), keepdim=True)
        return total.div_(height * width)

    def _finished(self, x: Tensor, s: Tensor, attention: Tensor) -> None:
        """The rest of the block, in place of s."""
        widen, gate, narrow = self.feed_forward
        project = _scaled(self.project, self.beta, attention)
        narrowed = _scaled(cast(nn.Conv2d, narrow), self.gamma)
        for first, last in bands(x.shape[2], 2 * x.shape[1] * x.shape[3]):
            rows = slice(first, last)
            u = F.conv2d(s[:, :, rows], *project).add_(x[:, :, rows])
            h = gate(widen(_along_channels(self.norm2, u)))
            torch.add(u, F.conv2d(h, *narrowed), out=s[:, :, rows])


def _along_channels(norm: nn.Module, x: Tensor) -> Tensor:
    """As `_over_channels`, and what comes out is channels_last, as x is."""
    normed: Tensor = norm(x.permute(0, 2, 3, 1))
    return normed.permute(0, 3, 1, 2)


def _scaled(conv: nn.Conv2d, out_scale: Tensor, in_scale: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
    """Weight and bias of out_scale * conv(in_scale * x); both scales are (1, C, 1, 1)."""
    weight = conv.weight * out_scale.view(-1, 1, 1, 1)
    if in_scale is not None:
        weight = weight * in_scale
    return weight, None if conv.bias is None else conv.bias * out_scale.flatten()


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
