"""y coded by itself."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from codecspec.runtime.compressai_classes import LatentCodec
from codecspec.runtime.latent_codecs.own_precision import in_own_precision
from codecspec.runtime.latent_codecs.symbol_coder import SymbolCoder
from codecspec.runtime.latent_codecs.symbols import LatentPart, Strings


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

    @in_own_precision
    def forward(self, y: Tensor) -> dict[str, Any]:
        """(N, M, H, W) -> `y_hat` and `likelihoods` {y}, both of the same shape."""
        out: dict[str, Any] = self.y(y)
        return out

    @in_own_precision
    def compress(self, y: Tensor) -> dict[str, Any]:
        """(N, M, H, W) -> `strings` (one list of N), `shape` (H, W), `y_hat`."""
        out: dict[str, Any] = self.y.compress(y)
        return out

    @in_own_precision
    def decompress(self, strings: Strings, shape: tuple[int, int]) -> dict[str, Any]:
        """The inverse of `compress` -> `y_hat`."""
        out: dict[str, Any] = self.y.decompress(strings, shape)
        return out

    @in_own_precision
    def code(self, y: Tensor | None, size: tuple[int, int], coder: SymbolCoder) -> Tensor:
        """Code y (N, M, H, W) of `size` (H, W) -> y_hat; y is None when reading.

        Raises:
            StreamError: y is not finite or too large to code, or the coder has no such latent.
        """
        y_hat: Tensor = self.y.code(y, size, coder)
        return y_hat

    def parts(self, channels: int, size: tuple[int, int]) -> list[LatentPart]:
        """The one part of a y of so many positions; its channels are those of its densities."""
        found: list[LatentPart] = self.y.parts(size)
        return found

    def latent_shape(self, height: int, width: int) -> tuple[int, int]:
        """The `shape` of a y of (height, width) positions."""
        out: tuple[int, int] = self.y.latent_shape(height, width)
        return out
