"""The small nets inside context heads and latent residual prediction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import nn


def make_entropy_transform(
    in_channels: int,
    out_channels: int,
    *,
    widths: Sequence[int],
    kernel: int = 3,
    activation: Callable[[], nn.Module] = nn.GELU,
) -> nn.Sequential:
    """Convolutions over `in_channels -> *widths -> out_channels`, an activation between them, none at the end.

    (N, in_channels, H, W) -> (N, out_channels, H, W). The heads and LRPs of Minnen & Singh, ICIP 2020, section 3, as
    STF, WACNN, TCM and CCA have them; with ReLU and kernels of 5 and 1 ELIC's channel contexts and parameters.
    """
    layers: list[nn.Module] = []
    for before, after in pairwise((in_channels, *widths, out_channels)):
        layers += [nn.Conv2d(before, after, kernel, padding=kernel // 2), activation()]
    return nn.Sequential(*layers[:-1])
