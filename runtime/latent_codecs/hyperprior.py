"""y coded with parameters computed from z."""

from __future__ import annotations

from typing import Any

from compressai.latent_codecs import LatentCodec
from torch import Tensor, nn

from codecspec.runtime.latent_codecs.own_precision import in_own_precision
from codecspec.runtime.latent_codecs.symbol_coder import SymbolCoder
from codecspec.runtime.latent_codecs.symbols import LatentPart, Strings


class HyperpriorLatentCodec(LatentCodec):
    """Codes z, then y with the side parameters that z_hat gives (Balle et al., ICLR 2018, section 3).

               ┌───┐  z  ┌───┐ z_hat ┌───┐
            ┌─►│h_a├────►│ z ├──────►│h_s├─┐ side parameters
            │  └───┘     └───┘       └───┘ │
            │                            ┌─┴─┐
        y ──┴───────────────────────────►│ y ├──► y_hat
                                         └───┘

    Args:
        h_a: hyper-analysis, y -> z.
        z: codec of z, by itself.
        h_s: hyper-synthesis, z_hat -> side parameters.
        y: codec of y, given the side parameters.
        z_stride: positions of y's side per position of z's.
    """

    def __init__(self, h_a: nn.Module, z: LatentCodec, h_s: nn.Module, y: LatentCodec, *, z_stride: int = 4) -> None:
        super().__init__()
        self.z_stride = z_stride
        self.h_a = h_a
        self.z = z
        self.h_s = h_s
        self.y = y

    @in_own_precision
    def forward(self, y: Tensor) -> dict[str, Any]:
        """(N, M, H, W) -> `y_hat` of the same shape, `likelihoods` {y, z} and `side_params` (N, P, H, W)."""
        z_out = self.z(self.h_a(y))
        side_params = self.h_s(z_out["y_hat"])
        y_out = self.y(y, side_params)
        likelihoods = {"y": y_out["likelihoods"]["y"], "z": z_out["likelihoods"]["y"]}
        return {"likelihoods": likelihoods, "y_hat": y_out["y_hat"], "side_params": side_params}

    @in_own_precision
    def compress(self, y: Tensor) -> dict[str, Any]:
        """(N, M, H, W) -> `strings` (those of y, then z's), `shape` {y, z}, `y_hat`."""
        z_out = self.z.compress(self.h_a(y))
        y_out = self.y.compress(y, self.h_s(z_out["y_hat"]))
        return {
            "strings": [*y_out["strings"], *z_out["strings"]],
            "shape": {"y": y_out["shape"], "z": z_out["shape"]},
            "y_hat": y_out["y_hat"],
        }

    @in_own_precision
    def decompress(self, strings: Strings, shape: dict[str, Any]) -> dict[str, Any]:
        """The inverse of `compress` -> `y_hat`."""
        *y_strings, z_strings = strings
        z_out = self.z.decompress([z_strings], shape["z"])
        y_out = self.y.decompress(y_strings, shape["y"], self.h_s(z_out["y_hat"]))
        return {"y_hat": y_out["y_hat"]}

    @in_own_precision
    def code(self, y: Tensor | None, size: tuple[int, int], coder: SymbolCoder) -> Tensor:
        """Code y (N, M, H, W) of `size` (H, W), after its z -> y_hat; y is None when reading.

        Raises:
            StreamError: a latent is not finite or too large to code, or the coder has no such latent.
        """
        z_hat = self.z.code(None if y is None else self.h_a(y), self.latent_shape(*size)["z"], coder)
        y_hat: Tensor = self.y.code(y, self.h_s(z_hat), coder)
        return y_hat

    def parts(self, channels: int, size: tuple[int, int]) -> list[LatentPart]:
        """The parts of a y of so many channels and positions, after those of its z."""
        return [*self.z.parts(self.latent_shape(*size)["z"]), *self.y.parts(channels, size)]

    def latent_shape(self, height: int, width: int) -> dict[str, Any]:
        """The `shape` of a y of (height, width) positions."""
        z_shape = (height // self.z_stride, width // self.z_stride)
        return {"y": self.y.latent_shape(height, width), "z": z_shape}
