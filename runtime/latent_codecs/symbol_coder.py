"""The seam between latents and bits: what a latent codec knows of the coder behind it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codecspec.runtime.coding_tables import gaussian_indexes
from codecspec.runtime.compressai_classes import EntropyBottleneck, GaussianConditional
from codecspec.runtime.latent_codecs.symbols import require_codable, require_finite

Symbols = NDArray[np.int32]
Scales = NDArray[np.float32]
Position = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""Codes one position: scales, means and, when writing, y there -> y_hat there."""


class Turn(ABC):
    """One image of a latent whose symbols are coded a few at a time, each few under scales that the last ones gave."""

    @abstractmethod
    def code(self, scales: Scales, symbols: Symbols | None) -> Symbols:
        """(n,) scales and, when writing, (n,) symbols -> the symbols."""


class WrittenTurn(Turn):
    """One image when writing: symbols and table indexes are gathered, to be coded together."""

    def __init__(self, model: GaussianConditional) -> None:
        self._model = model
        self._symbols: list[Symbols] = []
        self._indexes: list[Symbols] = []

    def code(self, scales: Scales, symbols: Symbols | None) -> Symbols:
        self._symbols.append(given(symbols))
        self._indexes.append(gaussian_indexes(self._model, scales))
        return self._symbols[-1]

    def whole(self) -> tuple[Symbols, Symbols]:
        """(n,) symbols and (n,) table indexes of the image."""
        return np.concatenate(self._symbols), np.concatenate(self._indexes)


class SymbolCoder(ABC):
    """Where the integers of latents go, or come from: one walk over a codec serves both ways.

        y - means ─► round ─► symbols ─► coder ─► symbols ─► + means ─► y_hat        writing
                                         coder ─► symbols ─► + means ─► y_hat        reading

    Latent codecs ask for their parts in coding order. When writing they give y; when reading they give None and get the
    same y_hat. All that is of floats is here, all that is of bits in the two classes of each coder.

    `part` is what a part is called in streams and errors: `z`, `y`, or a pass over it; slices are told by their order.
    """

    @property
    @abstractmethod
    def num_images(self) -> int:
        """Images in the batch that is read; when writing y says it, and this is not asked for."""

    @abstractmethod
    def code_under_scales(
        self, part: str, model: GaussianConditional, scales: Scales, symbols: Symbols | None
    ) -> Symbols:
        """(N, n) scales, before their lower bound, and (N, n) symbols when writing -> the symbols."""

    @abstractmethod
    def code_by_channel(
        self, part: str, model: EntropyBottleneck, channels: Symbols, symbols: Symbols | None
    ) -> Symbols:
        """(n,) channel of each symbol, and (N, n) symbols when writing -> the symbols."""

    @abstractmethod
    def turns(self, part: str, model: GaussianConditional, num_images: int) -> Iterator[Turn]:
        """One turn per image, for latents that are coded position by position; it ends where the next is asked for."""

    def gaussian(
        self, part: str, model: GaussianConditional, scales: Tensor, means: Tensor | None, y: Tensor | None
    ) -> Tensor:
        """Code y (N, C, H, W) around means under scales of the same shape -> y_hat.

        Raises:
            StreamError: a value is not finite or too large, or the bits are not those of this latent.
        """
        symbols = self.code_under_scales(part, model, _scales(scales, part), _symbols(y, means, part))
        return _y_hat(symbols, scales, means)

    def factorized(self, part: str, model: EntropyBottleneck, size: tuple[int, int], y: Tensor | None) -> Tensor:
        """Code y (N, C, H, W) of `size` (H, W) under a density per channel -> y_hat.

        Raises:
            StreamError: a value is not finite or too large, or the bits are not those of this latent.
        """
        medians = medians_of(model)
        num_images = self.num_images if y is None else len(y)
        channels = np.repeat(np.arange(model.channels, dtype=np.int32), size[0] * size[1])
        symbols = self.code_by_channel(part, model, channels, _symbols(y, medians, part))
        return _y_hat(symbols, medians.expand(num_images, -1, *size), medians)

    def gaussian_in_turn(self, part: str, model: GaussianConditional, num_images: int) -> Iterator[Position]:
        """For each image a function that codes a position of it; an image ends where the next is asked for."""
        for turn in self.turns(part, model, num_images):

            def code(scales: Tensor, means: Tensor, y: Tensor | None, turn: Turn = turn) -> Tensor:
                rounded = _symbols(y, means, part)
                symbols = turn.code(_scales(scales, part)[0], None if rounded is None else rounded[0])
                return _y_hat(symbols, scales, means)

            yield code


def medians_of(model: EntropyBottleneck) -> Tensor:
    """(1, C, 1, 1), around which values are rounded; the auxiliary loss alone teaches them."""
    return model.quantiles[:, 0, 1].detach().view(1, -1, 1, 1)


def given(symbols: Symbols | None) -> Symbols:
    """The symbols that a writer needs.

    Raises:
        TypeError: there are none: the latent codec was asked to read, and its coder writes.
    """
    if symbols is None:
        raise TypeError("a coder that writes needs y")
    return symbols


def _scales(scales: Tensor, part: str) -> Scales:
    """(N, ...) -> (N, n) float32, which is what tables are chosen by, whatever the networks compute in."""
    require_finite(scales, part, "scales")
    return scales.detach().to("cpu", torch.float32).flatten(1).contiguous().numpy()


def _symbols(y: Tensor | None, means: Tensor | None, part: str) -> Symbols | None:
    if means is not None:
        require_finite(means, part, "means")
    if y is None:
        return None
    residual = y.detach() if means is None else y.detach() - means
    require_codable(residual, part)
    return residual.round().to("cpu", torch.int32).flatten(1).contiguous().numpy()


def _y_hat(symbols: Symbols, like: Tensor, means: Tensor | None) -> Tensor:
    rounded = torch.from_numpy(symbols).to(like.device, like.dtype).reshape(like.shape)
    return rounded if means is None else rounded + means
