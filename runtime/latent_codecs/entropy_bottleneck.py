"""A latent under its learned, factorized density."""

from __future__ import annotations

from typing import Any

from compressai.entropy_models import EntropyBottleneck
from compressai.latent_codecs import LatentCodec
from compressai.ops import quantize_ste
from torch import Tensor

from codecspec.runtime.latent_codecs.symbols import Strings, only_part, require_codable


class EntropyBottleneckLatentCodec(LatentCodec):
    """Codes a latent by itself, with CompressAI's `EntropyBottleneck` (Balle et al., ICLR 2018, appendix 6.1).

        z ──► Q ──► z_hat            Q: round(z - median) + median; in training noise, or straight-through with `ste`

    Args:
        channels: channels of the latent.
        latent: what errors call it.
        quantizer: what the decoder's nets see in training: `noise`, or `ste` (likelihoods use noise either way).
    """

    def __init__(self, channels: int, *, latent: str = "z", quantizer: str = "noise") -> None:
        super().__init__()
        self.latent = latent
        self.entropy_bottleneck = EntropyBottleneck(channels)
        self.quantizer = quantizer

    def forward(self, z: Tensor) -> dict[str, Any]:
        """(N, C, h, w) -> `y_hat` and `likelihoods` {y}, both of the same shape."""
        z_hat, likelihoods = self.entropy_bottleneck(z)
        if self.training and self.quantizer == "ste":
            medians = self._medians()
            z_hat = quantize_ste(z - medians) + medians
        return {"likelihoods": {"y": likelihoods}, "y_hat": z_hat}

    def compress(self, z: Tensor) -> dict[str, Any]:
        """(N, C, h, w) -> `strings` (one list of N), `shape` (h, w), `y_hat`.

        Raises:
            StreamError: z is not finite or too large to code.
        """
        medians = self._medians()
        require_codable(z - medians, self.latent)
        strings = self.entropy_bottleneck.compress(z)
        z_hat = (z - medians).round() + medians
        return {"strings": [strings], "shape": z.shape[-2:], "y_hat": z_hat}

    def decompress(self, strings: Strings, shape: tuple[int, int]) -> dict[str, Any]:
        """The inverse of `compress`: one list of N strings, (h, w) -> `y_hat`."""
        return {"y_hat": self.entropy_bottleneck.decompress(only_part(strings, self.latent), shape)}

    def latent_shape(self, height: int, width: int) -> tuple[int, int]:
        """The `shape` of a latent of (height, width) positions."""
        return height, width

    def _medians(self) -> Tensor:
        """(1, C, 1, 1); the quantiles learn from the auxiliary loss alone."""
        return self.entropy_bottleneck.quantiles[:, 0, 1].detach().view(1, -1, 1, 1)
