"""y coded by itself."""

from __future__ import annotations

from typing import Any

from compressai.latent_codecs import LatentCodec
from torch import Tensor

from codecspec.runtime.latent_codecs.symbols import Strings


class FactorizedLatentCodec(LatentCodec):
    """Codes y without a hyperprior, every position alike (Balle, Laparra, Simoncelli, ICLR 2017).

            ┌───┐
        y ─►│ y ├──► y_hat
            └───┘

    Args:
        y: codec of y, by itself.
    """

    def __init__(self, y: LatentCodec) -> None:
        super().__init__()
        self.y = y

    def forward(self, y: Tensor) -> dict[str, Any]:
        """(N, M, H, W) -> `y_hat` and `likelihoods` {y}, both of the same shape."""
        out: dict[str, Any] = self.y(y)
        return out

    def compress(self, y: Tensor) -> dict[str, Any]:
        """(N, M, H, W) -> `strings` (one list of N), `shape` (H, W), `y_hat`."""
        out: dict[str, Any] = self.y.compress(y)
        return out

    def decompress(self, strings: Strings, shape: tuple[int, int]) -> dict[str, Any]:
        """The inverse of `compress` -> `y_hat`."""
        out: dict[str, Any] = self.y.decompress(strings, shape)
        return out

    def latent_shape(self, height: int, width: int) -> tuple[int, int]:
        """The `shape` of a y of (height, width) positions."""
        out: tuple[int, int] = self.y.latent_shape(height, width)
        return out
