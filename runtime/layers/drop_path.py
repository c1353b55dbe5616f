"""Stochastic depth (Huang et al., ECCV 2016), as timm's `DropPath` computes it; timm's own takes its import of every
model it has, which is longer than loading a codec."""

from __future__ import annotations

from torch import Tensor, nn


class DropPath(nn.Module):
    """A branch that is skipped for some of the images in training; the others' are scaled up to keep its mean.

    Args:
        rate: probability that an image's is skipped, below 1.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """(N, ..) -> (N, ..)."""
        if not self.training or self.rate == 0:
            return x
        kept = x.new_empty(len(x), *[1] * (x.ndim - 1)).bernoulli_(1 - self.rate)
        return x * kept.div_(1 - self.rate)

    def extra_repr(self) -> str:
        """What `print` says of it."""
        return f"rate={self.rate}"
