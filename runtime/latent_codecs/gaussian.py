"""The plain Gaussian leaf."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from codecspec.runtime.latent_codecs.gaussian_leaf import GaussianLeaf


class GaussianLatentCodec(GaussianLeaf):
    """y_hat = round(y - mu) + mu under Gaussian(mu, sigma) convolved with a unit box (Minnen et al., NeurIPS 2018).

    Args:
        quantizer: see `GaussianLeaf`.
        chunks: what `ctx_params` holds, in order: `("scales", "means")`, `("means", "scales")` or `("scales",)`.
    """

    def __init__(self, *, quantizer: str = "noise", chunks: Sequence[str] = ("scales", "means")) -> None:
        super().__init__(quantizer=quantizer)
        self.chunks = tuple(chunks)

    def parameters_of(self, ctx_params: Tensor, channels: int) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """The chunks of `channels` channels each; there is no support."""
        named = dict(zip(self.chunks, torch.split(ctx_params, channels, dim=1), strict=True))
        return named["scales"], named.get("means"), None

    def refine(self, y_hat: Tensor, support: Tensor | None) -> Tensor:
        """y_hat as decoded."""
        return y_hat

    def channels_of(self, ctx_params: Tensor) -> int:
        """Channels of the latent that these parameters are for."""
        return ctx_params.shape[1] // len(self.chunks)
