"""The analysis and synthesis transforms: blocks in a row, in the memory format that suits their device."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from codecspec.runtime.layers.two_ways import TwoWays


class Transform(TwoWays, nn.Sequential):
    """Blocks in a row over large maps.

    The fast way keeps the channels of a position together in memory (channels_last): convolutions then need not
    rearrange their maps, and norms and attention, which run over channels, read what they need in one piece. What comes
    out is laid out as ever, for the slices that latents are cut into.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> what the blocks make of it."""
        fast = self.goes_fast()
        if fast:
            x = x.contiguous(memory_format=torch.channels_last)
        for block in self:
            x = block(x)
        return x.contiguous() if fast else x
