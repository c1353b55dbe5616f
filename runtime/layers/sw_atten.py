"""TCM's attention over the support of a slice (Liu, Sun, Katto, CVPR 2023, section 3.3)."""

from __future__ import annotations

import math

import torch
from compressai.layers import AttentionBlock
from torch import Tensor, nn

from codecspec.runtime.layers.transformer_block import TransformerBlock


class SWAtten(nn.Module):
    """A gate whose mask comes from two transformer blocks, plain then shifted.

        x ─► 1x1 ─► u ─┬─► conv_a ─────────────────────────────────► * ─► + ─► 1x1 ─► out
                       ├─► non_local_block ─► conv_b ─► sigmoid ─────┘    │
                       └──────────────────────────────────────────────────┘

    Args:
        channels: C of the support.
        width: channels of u.
        head_dim: channels of an attention head.
        window: side of a window in positions; the second block is shifted by half of it.
    """

    def __init__(self, channels: int, *, width: int, head_dim: int, window: int) -> None:
        super().__init__()
        gate = AttentionBlock(width)
        self.conv_a = gate.conv_a
        self.conv_b = gate.conv_b
        self.input_projection = nn.Conv2d(channels, width, 1)
        self.non_local_block = nn.Sequential(
            *(
                TransformerBlock(width, num_heads=width // head_dim, window=window, shift=shift, masked=-math.inf)
                for shift in (0, window // 2)
            )
        )
        self.output_projection = nn.Conv2d(width, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        u = self.input_projection(x)
        mask = torch.sigmoid(self.conv_b(self.non_local_block(u)))
        out: Tensor = self.output_projection(u + self.conv_a(u) * mask)
        return out
