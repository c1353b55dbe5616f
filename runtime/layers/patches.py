"""How STF changes resolution (Zou, Song, Zhang, CVPR 2022, section 3.3; Liu et al., Swin, ICCV 2021, section 3.1)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PatchEmbed(nn.Module):
    """Patches of the image to vectors: a convolution of its own stride without padding, then a layer norm.

    Args:
        channels: C of the image.
        out: channels of a vector.
        patch: p, the side of a patch in pixels; sides that are no multiples are padded with zeros.
    """

    def __init__(self, channels: int, out: int, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.proj = nn.Conv2d(channels, out, patch, stride=patch)
        self.norm = nn.LayerNorm(out)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, out, H / p, W / p)."""
        x = self.proj(_padded(x, self.patch))
        out: Tensor = self.norm(x.permute(0, 2, 3, 1))
        return out.permute(0, 3, 1, 2)


class PatchMerge(nn.Module):
    """2x2 positions to one of twice the channels: their concatenation, layer norm, a linear layer without bias.

    Args:
        channels: C of the input; odd sides are padded with zeros.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduction = nn.Linear(4 * channels, 2 * channels, bias=False)
        self.norm = nn.LayerNorm(4 * channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, 2 C, H / 2, W / 2)."""
        x = _padded(x, 2).permute(0, 2, 3, 1)
        corners = [x[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        out: Tensor = self.reduction(self.norm(torch.cat(corners, dim=-1)))
        return out.permute(0, 3, 1, 2)


class PatchSplit(nn.Module):
    """One position to 2x2 of half the channels: layer norm, a linear layer without bias, a pixel shuffle.

    Args:
        channels: C of the input, even.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduction = nn.Linear(channels, 2 * channels, bias=False)
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C / 2, 2 H, 2 W)."""
        out: Tensor = self.reduction(self.norm(x.permute(0, 2, 3, 1)))
        return F.pixel_shuffle(out.permute(0, 3, 1, 2), 2)


def _padded(x: Tensor, multiple: int) -> Tensor:
    """(N, C, H, W) with zeros at right and bottom until both sides are multiples."""
    right, bottom = -x.shape[-1] % multiple, -x.shape[-2] % multiple
    return F.pad(x, (0, right, 0, bottom)) if right or bottom else x
