"""A latent under its learned, factorized density."""

from __future__ import annotations

from typing import Any

from compressai.ops import quantize_ste
from torch import Tensor

from codecspec.runtime.compressai_classes import LatentCodec
from codecspec.runtime.factorized_density import TraceableEntropyBottleneck
from codecspec.runtime.latent_codecs.compressai_strings import StringReader, StringWriter
from codecspec.runtime.latent_codecs.symbol_coder import SymbolCoder, medians_of
from codecspec.runtime.latent_codecs.symbols import LatentPart, Strings, require_parts


class EntropyBottleneckLatentCodec(LatentCodec):
    """Codes a latent by itself, with CompressAI's `EntropyBottleneck` (Balle et al., ICLR 2018, appendix 6.1).

        z ──► Q ──► z_hat            Q: round(z - median) + median; in training noise, or straight-through with `ste`

    Args:
        channels: channels of the latent.
        latent: what streams and errors call it.
        quantizer: what the decoder's nets see in training: `noise`, or `ste` (likelihoods use noise either way).
    """

    def __init__(self, channels: int, *, latent: str = "z", quantizer: str = "noise") -> None:
        super().__init__()
        self.latent = latent
        self.entropy_bottleneck = TraceableEntropyBottleneck(channels)
        self.quantizer = quantizer

    def forward(self, z: Tensor) -> dict[str, Any]:
        """(N, C, h, w) -> `y_hat` and `likelihoods` {y}, both of the same shape."""
        z_hat, likelihoods = self.entropy_bottleneck(z)
        if self.training and self.quantizer == "ste":
            medians = medians_of(self.entropy_bottleneck)
            z_hat = quantize_ste(z - medians) + medians
        return {"likelihoods": {"y": likelihoods}, "y_hat": z_hat}

    def code(self, z: Tensor | None, size: tuple[int, int], coder: SymbolCoder) -> Tensor:
        """Code z (N, C, h, w) of `size` (h, w) -> z_hat; z is None when reading.

        Raises:
            StreamError: z is not finite or too large to code, or the coder has no such latent.
        """
        return coder.factorized(self.latent, self.entropy_bottleneck, size, z)

    def compress(self, z: Tensor) -> dict[str, Any]:
        """(N, C, h, w) -> `strings` (one list of N), `shape` (h, w), `y_hat`.

        Raises:
            StreamError: z is not finite or too large to code.
        """
        writer = StringWriter()
        z_hat = self.code(z, (z.shape[-2], z.shape[-1]), writer)
        return {"strings": writer.strings, "shape": z.shape[-2:], "y_hat": z_hat}

    def decompress(self, strings: Strings, shape: tuple[int, int]) -> dict[str, Any]:
        """The inverse of `compress`: one list of N strings, (h, w) -> `y_hat`."""
        require_parts(strings, 1, self.latent)
        return {"y_hat": self.code(None, shape, StringReader(strings))}

    def parts(self, size: tuple[int, int]) -> list[LatentPart]:
        """The one part of a latent of so many positions."""
        num_symbols = self.entropy_bottleneck.channels * size[0] * size[1]
        return [LatentPart(self.latent, num_symbols, under_scales=False)]

    def latent_shape(self, height: int, width: int) -> tuple[int, int]:
        """The `shape` of a latent of (height, width) positions."""
        return height, width
