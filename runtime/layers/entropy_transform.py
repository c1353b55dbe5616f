"""The small nets inside context heads and latent residual prediction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import Tensor, nn

from codecspec.runtime.layers.conv import run_fused
from codecspec.runtime.layers.seen_maps import SeenMaps
from codecspec.runtime.layers.two_ways import TwoWays


class EntropyTransform(TwoWays, nn.Sequential):
    """Convolutions with activations between them.

    The fast way reads maps beside each other where they lie, and computes what `run_fused` says in one go.
    """

    def forward(self, x: Tensor | SeenMaps) -> Tensor:
        """(N, C, H, W), or as many channels of maps beside each other -> (N, out, H, W)."""
        seen = x if isinstance(x, SeenMaps) else SeenMaps((x,))
        if self.goes_fast_on_cpu(seen.parts[0]):
            return run_fused(self, seen).contiguous()
        plain = seen.joined()
        for layer in self:
            plain = layer(plain)
        return plain


def make_entropy_transform(
    in_channels: int,
    out_channels: int,
    *,
    widths: Sequence[int],
    kernel: int = 3,
    activation: Callable[[], nn.Module] = nn.GELU,
) -> EntropyTransform:
    """Convolutions over `in_channels -> *widths -> out_channels`, an activation between them, none at the end.

    (N, in_channels, H, W) -> (N, out_channels, H, W). The heads and LRPs of Minnen & Singh, ICIP 2020, section 3, as
    STF, WACNN, TCM and CCA have them; with ReLU and kernels of 5 and 1 ELIC's channel contexts and parameters.
    """
    layers: list[nn.Module] = []
    for before, after in pairwise((in_channels, *widths, out_channels)):
        layers += [nn.Conv2d(before, after, kernel, padding=kernel // 2), activation()]
    return EntropyTransform(*layers[:-1])
