"""The small nets inside context heads and latent residual prediction."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn


def make_entropy_transform(in_channels: int, out_channels: int, *, widths: Sequence[int]) -> nn.Sequential:
    """3x3 convolutions over `in_channels -> *widths -> out_channels`, GELU between them, none at the end.

    (N, in_channels, H, W) -> (N, out_channels, H, W). The heads and LRPs of Minnen & Singh, ICIP 2020, section 3, as
    STF, WACNN, TCM and CCA have them.
    """
    layers: list[nn.Module] = []
    for before, after in pairwise((in_channels, *widths, out_channels)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.GELU()]
    return nn.Sequential(*layers[:-1])
