"""Maps of one size that a net sees side by side."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class SeenMaps(NamedTuple):
    """Maps side by side along their channels, joined only for nets that need them so.

    Args:
        parts: (N, C, H, W) each.
    """

    parts: tuple[Tensor, ...]

    def joined(self) -> Tensor:
        """(N, channels of all, H, W)."""
        return self.parts[0] if len(self.parts) == 1 else torch.cat(self.parts, dim=1)

    def beside(self, x: Tensor) -> SeenMaps:
        """These maps and x after them."""
        return SeenMaps((*self.parts, x))
