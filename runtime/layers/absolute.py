"""|x| as a module."""

from __future__ import annotations

from torch import Tensor, nn


class Abs(nn.Module):
    """|x|, of any shape."""

    def forward(self, x: Tensor) -> Tensor:
        """|x|, of the shape of x."""
        return x.abs()
