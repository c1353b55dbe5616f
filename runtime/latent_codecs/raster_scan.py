"""The Gaussian leaf that goes position by position."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from compressai.ans import BufferedRansEncoder, RansDecoder
from compressai.entropy_models import GaussianConditional
from compressai.latent_codecs import LatentCodec
from compressai.layers import MaskedConv2d
from torch import Tensor, nn

from codecspec.runtime.latent_codecs.symbols import Strings, only_part, require_codable

Step = Callable[[int, int, Tensor, Tensor], Tensor]


class RasterScanLatentCodec(LatentCodec):
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

    num_parts: ClassVar[int] = 1
    """Strings per image."""

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

    def compress(self, y: Tensor, ctx_params: Tensor) -> dict[str, Any]:
        """(N, C, H, W), (N, P, H, W) -> `strings` (one list of N), `shape` (H, W), `y_hat`.

        Raises:
            StreamError: y is not finite or too large to code.
        """
        require_codable(y, "y")
        coded = [self._compress_image(y[i : i + 1], ctx_params[i : i + 1]) for i in range(len(y))]
        strings = [string for string, _ in coded]
        return {"strings": [strings], "shape": y.shape[-2:], "y_hat": torch.cat([y_hat for _, y_hat in coded])}

    def decompress(self, strings: Strings, shape: tuple[int, ...], ctx_params: Tensor) -> dict[str, Any]:
        """The inverse of `compress`: one list of N strings, (H, W), (N, P, H, W) -> `y_hat`."""
        images = enumerate(only_part(strings, "y"))
        return {"y_hat": torch.cat([self._decompress_image(string, ctx_params[i : i + 1]) for i, string in images])}

    def latent_shape(self, height: int, width: int) -> tuple[int, int]:
        """The `shape` of a latent of (height, width) positions."""
        return height, width

    def _compress_image(self, y: Tensor, ctx_params: Tensor) -> tuple[bytes, Tensor]:
        symbols: list[int] = []
        indexes: list[int] = []

        def step(row: int, column: int, scales: Tensor, means: Tensor) -> Tensor:
            here = y[:, :, row : row + 1, column : column + 1]
            require_codable(here - means, "y")
            rounded = self.gaussian_conditional.quantize(here, "symbols", means)
            symbols.extend(rounded.flatten().tolist())
            indexes.extend(self.gaussian_conditional.build_indexes(scales).flatten().tolist())
            return rounded + means

        y_hat = self._walk(ctx_params, step)
        encoder = BufferedRansEncoder()
        encoder.encode_with_indexes(symbols, indexes, *self._tables())
        return encoder.flush(), y_hat

    def _decompress_image(self, string: bytes, ctx_params: Tensor) -> Tensor:
        decoder = RansDecoder()
        decoder.set_stream(string)
        tables = self._tables()

        def step(row: int, column: int, scales: Tensor, means: Tensor) -> Tensor:
            indexes = self.gaussian_conditional.build_indexes(scales).flatten().tolist()
            symbols = decoder.decode_stream(indexes, *tables)
            return torch.tensor(symbols, dtype=means.dtype, device=means.device).reshape(means.shape) + means

        return self._walk(ctx_params, step)

    def _walk(self, ctx_params: Tensor, step: Step) -> Tensor:
        """The one walk over the positions of one image: (1, P, H, W) -> y_hat (1, C, H, W).

        Each step gets row, column and the (1, C, 1, 1) scales and means there, and gives the y_hat there.
        """
        conv = self.context_prediction
        kernel, pad = conv.kernel_size[0], conv.padding[0]
        weight = conv.weight * conv.mask
        height, width = ctx_params.shape[-2:]
        y_hat = ctx_params.new_zeros(1, conv.in_channels, height + 2 * pad, width + 2 * pad)
        for row in range(height):
            for column in range(width):
                seen = y_hat[:, :, row : row + kernel, column : column + kernel]
                context = F.conv2d(seen, weight, bias=conv.bias)
                scales, means = self._scales_means(ctx_params[:, :, row : row + 1, column : column + 1], context)
                y_hat[:, :, row + pad : row + pad + 1, column + pad : column + pad + 1] = step(
                    row, column, scales, means
                )
        return y_hat[:, :, pad : pad + height, pad : pad + width]

    def _scales_means(self, ctx_params: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """(scales, means)."""
        first, second = self.entropy_parameters(torch.cat([ctx_params, context], dim=1)).chunk(2, dim=1)
        return (first, second) if self.chunks == ("scales", "means") else (second, first)

    def _tables(self) -> tuple[list[list[int]], list[int], list[int]]:
        """Cumulative counts, their lengths and their offsets, as CompressAI's coder takes them."""
        model = self.gaussian_conditional
        return model.quantized_cdf.tolist(), model.cdf_length.tolist(), model.offset.tolist()
