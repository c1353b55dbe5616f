"""Two hyper-syntheses side by side."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class DualHyperSynthesis(nn.Module):
    """z_hat -> (means, scales), concatenated in this order.

            ┌─► h_mean_s ──► means ──┐
    z_hat ──┤                        ├─► side parameters
            └─► h_scale_s ─► scales ─┘
    """

    def __init__(self, h_mean_s: nn.Module, h_scale_s: nn.Module) -> None:
        super().__init__()
        self.h_mean_s = h_mean_s
        self.h_scale_s = h_scale_s

    def forward(self, z_hat: Tensor) -> Tensor:
        """(N, C_z, h, w) -> (N, 2 * M, H, W)."""
        return torch.cat([self.h_mean_s(z_hat), self.h_scale_s(z_hat)], dim=1)
