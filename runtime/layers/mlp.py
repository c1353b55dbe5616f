"""The MLP of a transformer block."""

from __future__ import annotations

from torch import Tensor, nn


class MLP(nn.Module):
    """Linear, GELU, linear, over the last axis.

    Args:
        channels: C, in and out.
        hidden: channels between.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(.., C) -> (.., C)."""
        out: Tensor = self.fc2(self.act(self.fc1(x)))
        return out
