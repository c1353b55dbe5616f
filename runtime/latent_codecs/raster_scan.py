"""The Gaussian leaf that goes position by position."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from compressai.layers import MaskedConv2d
from torch import Tensor, nn

from codecspec.runtime.compressai_classes import GaussianConditional
from codecspec.runtime.latent_codecs.coded_latent import CodedUnderParams
from codecspec.runtime.latent_codecs.symbol_coder import Position, SymbolCoder


class RasterScanLatentCodec(CodedUnderParams):
    """Codes y position by position, row by row, each seeing those before it (Minnen et al., NeurIPS 2018, section 3).

        y_hat so far ─► context_prediction ─► context      ■ ■ ■   seen
        cat(ctx_params, context) ─► entropy_parameters     ■ ◌ □   now, not yet
                                        ─► scales, means   □ □ □

    `compress` and `decompress` share one walk over the positions. `forward` cannot: it codes all positions at once,
    around round(y), as CompressAI's `JointAutoregressiveHierarchicalPriors` does, whose coder goes around
    round(y - mean) + mean. So `decompress` gives the `y_hat` that `compress` returns, and not quite that of `forward`.

    Args:
        context_prediction: masked convolution, from the latent's channels to twice as many.
        entropy_parameters: pointwise net over (ctx_params, context), giving scales and means.
        chunks: their order.
    """

    portable: ClassVar[bool] = False

    def __init__(
        self,
        context_prediction: MaskedConv2d,
        entropy_parameters: nn.Module,
        *,
        chunks: Sequence[str] = ("scales", "means"),
    ) -> None:
        super().__init__()
        self.gaussian_conditional = GaussianConditional(None)
        self.context_prediction = context_prediction
        self.entropy_parameters = entropy_parameters
        self.chunks = tuple(chunks)

    def forward(self, y: Tensor, ctx_params: Tensor) -> dict[str, Any]:
        """(N, C, H, W), (N, P, H, W) -> `y_hat` and `likelihoods` {y}, both of y's shape."""
        y_hat = self.gaussian_conditional.quantize(y, "noise" if self.training else "dequantize")
        scales, means = self._scales_means(ctx_params, self.context_prediction(y_hat))
        _, likelihoods = self.gaussian_conditional(y, scales, means=means)
        return {"likelihoods": {"y": likelihoods}, "y_hat": y_hat}

    def code(self, y: Tensor | None, ctx_params: Tensor, coder: SymbolCoder) -> Tensor:
        """See `CodedUnderParams`."""
        images = coder.gaussian_in_turn("y", self.gaussian_conditional, len(ctx_params))
        y_hat = [
            self._walk(None if y is None else y[i : i + 1], ctx_params[i : i + 1], position)
            for i, position in enumerate(images)
        ]
        return torch.cat(y_hat)

    def _walk(self, y: Tensor | None, ctx_params: Tensor, position: Position) -> Tensor:
        """The one walk over the positions of one image: (1, P, H, W) -> y_hat (1, C, H, W).

        `position` gets the (1, C, 1, 1) scales, means and y (None when reading) of each, and gives the y_hat there.
        """
        conv = self.context_prediction
        kernel, pad = conv.kernel_size[0], conv.padding[0]
        weight = conv.weight * conv.mask
        height, width = ctx_params.shape[-2:]
        y_hat = ctx_params.new_zeros(1, conv.in_channels, height + 2 * pad, width + 2 * pad)
        for row, column in product(range(height), range(width)):
            here = (..., slice(row, row + 1), slice(column, column + 1))
            seen = y_hat[..., row : row + kernel, column : column + kernel]
            context = F.conv2d(seen, weight, bias=conv.bias)
            scales, means = self._scales_means(ctx_params[here], context)
            y_hat[..., row + pad : row + pad + 1, column + pad : column + pad + 1] = position(
                scales, means, None if y is None else y[here]
            )
        return y_hat[..., pad : pad + height, pad : pad + width]

    def _scales_means(self, ctx_params: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """(scales, means)."""
        first, second = self.entropy_parameters(torch.cat([ctx_params, context], dim=1)).chunk(2, dim=1)
        return (first, second) if self.chunks == ("scales", "means") else (second, first)
