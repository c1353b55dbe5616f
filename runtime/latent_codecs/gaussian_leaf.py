"""What all Gaussian leaves share: quantising around a mean and coding under a scale."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from compressai.entropy_models import GaussianConditional
from compressai.latent_codecs import LatentCodec
from compressai.ops import quantize_ste
from torch import Tensor

from codecspec.runtime.latent_codecs.symbols import Strings, only_part, require_codable


class GaussianLeaf(LatentCodec, ABC):
    """Codes a latent under Gaussians whose parameters come in as `ctx_params`.

        ctx_params ─► parameters_of ─► scales, means, support
        y ─► round(y - means) ─► coder (scales) ─► + means ─► refine(., support) ─► y_hat

    `forward`, `compress` and `decompress` differ in where the rounded values come from and in nothing else.

    Args:
        quantizer: what later nets see of y in training: `noise`, or `ste` (likelihoods use noise either way).
    """

    num_parts: ClassVar[int] = 1
    """Strings per image."""

    def __init__(self, *, quantizer: str) -> None:
        super().__init__()
        self.gaussian_conditional = GaussianConditional(None)
        self.quantizer = quantizer

    @abstractmethod
    def parameters_of(self, ctx_params: Tensor, channels: int) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """(scales, means or None, support or None) of a latent with `channels` channels."""

    @abstractmethod
    def refine(self, y_hat: Tensor, support: Tensor | None) -> Tensor:
        """What the rest of the codec sees of the decoded y_hat."""

    def forward(self, y: Tensor, ctx_params: Tensor) -> dict[str, Any]:
        """(N, C, H, W), (N, P, H, W) -> `y_hat` and `likelihoods` {y}, both of y's shape."""
        scales, means, support = self.parameters_of(ctx_params, y.shape[1])
        y_hat, likelihoods = self.gaussian_conditional(y, scales, means=means)
        if self.training and self.quantizer == "ste":
            y_hat = quantize_ste(y) if means is None else quantize_ste(y - means) + means
        return {"likelihoods": {"y": likelihoods}, "y_hat": self.refine(y_hat, support)}

    def compress(self, y: Tensor, ctx_params: Tensor) -> dict[str, Any]:
        """(N, C, H, W), (N, P, H, W) -> `strings` (one list of N), `shape` (H, W), `y_hat`.

        Raises:
            StreamError: y is not finite or too large to code.
        """
        scales, means, support = self.parameters_of(ctx_params, y.shape[1])
        require_codable(y if means is None else y - means, "y")
        indexes = self.gaussian_conditional.build_indexes(scales)
        strings = self.gaussian_conditional.compress(y, indexes, means=means)
        y_hat = self.gaussian_conditional.quantize(y, "dequantize", means=means)
        return {"strings": [strings], "shape": y.shape[-2:], "y_hat": self.refine(y_hat, support)}

    def decompress(self, strings: Strings, shape: tuple[int, int], ctx_params: Tensor) -> dict[str, Any]:
        """The inverse of `compress`: one list of N strings, (H, W), (N, P, H, W) -> `y_hat`."""
        scales, means, support = self.parameters_of(ctx_params, self.channels_of(ctx_params))
        indexes = self.gaussian_conditional.build_indexes(scales)
        y_hat = self.gaussian_conditional.decompress(only_part(strings, "y"), indexes, dtype=scales.dtype, means=means)
        return {"y_hat": self.refine(y_hat, support)}

    def latent_shape(self, height: int, width: int) -> tuple[int, int]:
        """The `shape` of a latent of (height, width) positions."""
        return height, width

    @abstractmethod
    def channels_of(self, ctx_params: Tensor) -> int:
        """Channels of the latent that these parameters are for."""
