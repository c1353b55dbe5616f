"""What latent codecs with bits of their own share: CompressAI's `compress` and `decompress`, out of one `code`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import Tensor

from codecspec.runtime.compressai_classes import LatentCodec
from codecspec.runtime.latent_codecs.compressai_strings import StringReader, StringWriter
from codecspec.runtime.latent_codecs.symbol_coder import SymbolCoder
from codecspec.runtime.latent_codecs.symbols import LatentPart, Strings, require_parts


class CodedUnderParams(LatentCodec, ABC):
    """A leaf: codes a latent with the parameters that other networks give it."""

    num_parts: ClassVar[int] = 1
    """Strings per image."""
    portable: ClassVar[bool] = True
    """All scales of a part are known before its first symbol: syndromes can tell where they differ."""

    @abstractmethod
    def code(self, y: Tensor | None, ctx_params: Tensor, coder: SymbolCoder) -> Tensor:
        """Code y (N, C, H, W) with (N, P, H, W) parameters -> y_hat; y is None when reading.

        Raises:
            StreamError: y is not finite or too large to code, or the coder has no such latent.
        """

    def compress(self, y: Tensor, ctx_params: Tensor) -> dict[str, Any]:
        """(N, C, H, W), (N, P, H, W) -> `strings` (a list of N for each part), `shape` (H, W), `y_hat`.

        Raises:
            StreamError: y is not finite or too large to code.
        """
        writer = StringWriter()
        y_hat = self.code(y, ctx_params, writer)
        return {"strings": writer.strings, "shape": y.shape[-2:], "y_hat": y_hat}

    def decompress(self, strings: Strings, shape: tuple[int, ...], ctx_params: Tensor) -> dict[str, Any]:
        """The inverse of `compress`: its strings, (H, W) or (C, H, W), (N, P, H, W) -> `y_hat`."""
        require_parts(strings, self.num_parts, "y")
        return {"y_hat": self.code(None, ctx_params, StringReader(strings))}

    def parts(self, channels: int, size: tuple[int, int]) -> list[LatentPart]:
        """The parts of a latent of so many channels and positions, in coding order."""
        return [LatentPart("y", channels * size[0] * size[1], under_scales=True)]

    def latent_shape(self, height: int, width: int) -> tuple[int, int]:
        """The `shape` of a latent of (height, width) positions."""
        return height, width
