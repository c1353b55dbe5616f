"""What all Gaussian leaves share: quantising around a mean and coding under a scale."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from compressai.ops import quantize_ste
from torch import Tensor

from codecspec.runtime.compressai_classes import GaussianConditional
from codecspec.runtime.latent_codecs.coded_latent import CodedUnderParams
from codecspec.runtime.latent_codecs.symbol_coder import SymbolCoder


class GaussianLeaf(CodedUnderParams):
    """Codes a latent under Gaussians whose parameters come in as `ctx_params`.

        ctx_params ─► parameters_of ─► scales, means, support
        y ─► round(y - means) ─► coder (scales) ─► + means ─► refine(., support) ─► y_hat

    `forward`, `compress` and `decompress` differ in where the rounded values come from and in nothing else.

    Args:
        quantizer: what later nets see of y in training: `noise`, or `ste` (likelihoods use noise either way).
    """

    def __init__(self, *, quantizer: str) -> None:
        super().__init__()
        self.gaussian_conditional = GaussianConditional(None)
        self.quantizer = quantizer

    @abstractmethod
    def parameters_of(self, ctx_params: Tensor, channels: int) -> tuple[Tensor, Tensor | None, Any]:
        """(scales, means or None, support or None) of a latent with `channels` channels; `refine` gets the support."""

    @abstractmethod
    def refine(self, y_hat: Tensor, support: Any) -> Tensor:
        """What the rest of the codec sees of the decoded y_hat."""

    @abstractmethod
    def channels_of(self, ctx_params: Tensor) -> int:
        """Channels of the latent that these parameters are for."""

    def forward(self, y: Tensor, ctx_params: Tensor) -> dict[str, Any]:
        """(N, C, H, W), (N, P, H, W) -> `y_hat` and `likelihoods` {y}, both of y's shape."""
        scales, means, support = self.parameters_of(ctx_params, y.shape[1])
        y_hat, likelihoods = self.gaussian_conditional(y, scales, means=means)
        if self.training and self.quantizer == "ste":
            y_hat = quantize_ste(y) if means is None else quantize_ste(y - means) + means
        return {"likelihoods": {"y": likelihoods}, "y_hat": self.refine(y_hat, support)}

    def code(self, y: Tensor | None, ctx_params: Tensor, coder: SymbolCoder, part: str = "y") -> Tensor:
        """See `CodedUnderParams`; `part` is what streams and errors call the latent."""
        scales, means, support = self.parameters_of(ctx_params, self.channels_of(ctx_params))
        return self.refine(coder.gaussian(part, self.gaussian_conditional, scales, means, y), support)
