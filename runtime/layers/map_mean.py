"""The mean of a map over all of its positions, also where the map is made in pieces."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Seen(Exception):  # noqa: N818 (nothing is wrong)
    """A piece was looked at, and nothing more is wanted of it."""


class MapMean(nn.AdaptiveAvgPool2d):
    """(N, C, H, W) -> (N, C, 1, 1), the mean over all positions.

    For a map that comes in pieces, the pieces are looked at first (`survey`, `look_at`), and then what was seen is the
    mean of every piece (`settle`) until it is forgotten (`forget`).
    """

    def __init__(self) -> None:
        super().__init__(1)
        self._region: tuple[slice, slice] | None = None
        self._total: Tensor | None = None
        self._count = 0
        self._mean: Tensor | None = None

    @property
    def in_pieces(self) -> bool:
        """Whether what comes is a piece of a map."""
        return self._region is not None or self._mean is not None

    def forward(self, x: Tensor) -> Tensor:
        """The mean: of x, or of the whole map that x is a piece of.

        Raises:
            Seen: x was a piece to look at.
        """
        if self._mean is not None:
            return self._mean
        if self._region is None:
            mean: Tensor = super().forward(x)
            return mean
        seen = x[..., self._region[0], self._region[1]]
        total = seen.sum((-2, -1), keepdim=True).to(torch.float64)
        self._total = total if self._total is None else self._total + total
        self._count += seen.shape[-2] * seen.shape[-1]
        raise Seen

    def look_at(self, rows: slice, columns: slice) -> None:
        """Look at this part of the next piece."""
        self._region = rows, columns

    def settle(self, positions: int, like: Tensor) -> None:
        """Take what was seen of `positions` positions for the mean, in the type of `like`.

        Raises:
            RuntimeError: not every position was seen, or one twice: the block's reach is wrong.
        """
        if self._total is None or self._count != positions:
            raise RuntimeError(f"{self._count} of {positions} positions were seen")
        self._mean = (self._total / positions).to(like.dtype)
        self._region = self._total = None
        self._count = 0

    def forget(self) -> None:
        """From now on the mean is that of what comes."""
        self._region = self._total = self._mean = None
        self._count = 0
