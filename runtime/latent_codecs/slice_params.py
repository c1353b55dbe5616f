"""What a context head tells the leaf of its slice, kept apart."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from codecspec.runtime.layers.seen_maps import SeenMaps


class SliceParams(NamedTuple):
    """The parameters of a slice, for leaves that need them not in one tensor.

    Args:
        scales: (N, C, H, W).
        means: (N, C, H, W).
        support: the mean support, where the head hands it on.
    """

    scales: Tensor
    means: Tensor
    support: SeenMaps | None

    def joined(self) -> Tensor:
        """(N, 2 * C + mean support, H, W): scales, means, support."""
        support = () if self.support is None else self.support.parts
        return torch.cat([self.scales, self.means, *support], dim=1)
