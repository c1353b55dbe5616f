"""The analysis and synthesis transforms: blocks in a row, in the memory format that suits their device."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from codecspec.runtime.layers.two_ways import TwoWays


class Transform(TwoWays, nn.Sequential):
    """Blocks in a row over large maps.

    The fast way keeps the channels of a position together in memory (channels_last): convolutions then need not
    rearrange their maps, and norms and attention, which run over channels, read what they need in one piece. What comes
    out is laid out as ever, for the slices that latents are cut into.

    Attributes:
        pieces: (this, x, memory format of maps) -> what the blocks make of x, in its own way, such as in pieces; it
            runs where no gradients are recorded. None for block by block.
    """

    pieces: Callable[[Transform, Tensor, torch.memory_format], Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> what the blocks make of it."""
        fast = self.goes_fast()
        if self.pieces is not None and not torch.is_grad_enabled():
            x = self.pieces(self, x, torch.channels_last if fast else torch.contiguous_format)
            return x.contiguous()
        if fast:
            x = x.contiguous(memory_format=torch.channels_last)
        for block in self:
            x = block(x)
        return x.contiguous() if fast else x
