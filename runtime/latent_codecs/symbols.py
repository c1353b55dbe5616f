"""What a latent must be to be coded as integers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from codecspec.schema.errors import StreamError

MAX_SYMBOL = 2**30


class LatentPart(NamedTuple):
    """A part of a latent that is coded in one go.

    Args:
        name: what streams and errors call it: `z`, `y`, or a pass over y; slices are told by their order.
        num_symbols: of one image.
        under_scales: its tables are chosen by scales that networks computed, and so may differ where it is decoded.
    """

    name: str
    num_symbols: int
    under_scales: bool


Strings = Sequence[Sequence[bytes]]
"""Strings of a latent: for each of its parts in coding order, one string per image of the batch."""


def require_parts(strings: Strings, num_parts: int, where: str) -> None:
    """Refuse strings of a latent that is coded in another number of parts.

    Raises:
        StreamError: there is another number of parts.
    """
    if len(strings) != num_parts:
        number = "one" if num_parts == 1 else num_parts
        raise StreamError("E-stream", where, f"{len(strings)} parts of strings, and it is coded in {number}")


def require_codable(residual: Tensor, where: str) -> None:
    """Refuse a latent (less its mean) that no integer stands for.

    Raises:
        StreamError: a value is NaN, infinite or beyond +-2^30; `where` names the latent or slice.
    """
    if residual.numel() == 0:
        return
    low, high = _range(residual)
    if not (low >= -MAX_SYMBOL and high <= MAX_SYMBOL):
        message = f"values from {low:g} to {high:g} cannot be coded; they must be finite, at most 2^30"
        raise StreamError("E-latent", where, message, "look for NaN or exploding weights in the checkpoint")


def require_finite(values: Tensor, where: str, what: str) -> None:
    """Refuse what a network gave if nothing can be coded with it.

    Raises:
        StreamError: a value is NaN or infinite; `where` names the latent or slice, `what` says what the values are.
    """
    if values.numel() == 0:
        return
    low, high = _range(values)
    if not (-torch.inf < low and high < torch.inf):
        message = f"{what} from {low:g} to {high:g} cannot be coded with; they must be finite"
        raise StreamError("E-latent", where, message, "look for NaN or exploding weights in the checkpoint")


def _range(values: Tensor) -> tuple[float, float]:
    """The least and the greatest, NaN if there is one; a GPU is waited for once."""
    low, high = torch.stack(values.aminmax()).tolist()
    return low, high
