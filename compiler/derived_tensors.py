"""Tensors that another tensor says: what a layout may drop if it is as expected, and make on the way back."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codecspec.schema.errors import LayoutError

if TYPE_CHECKING:
    from torch import Tensor


Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DerivedTensor:
    """One way to derive a tensor from another.

    Args:
        make: (the other tensor) -> the tensor.
        shape: (the other's shape) -> its shape, without a look at any number. Both raise LayoutError for a tensor that
            they are not for.
    """

    make: Callable[[Tensor], Tensor]
    shape: Callable[[Shape], Shape]


def _window(bias_table: Shape) -> int:
    """The side of the window that a table of ((2w-1)^2, heads) is for."""
    rows = bias_table[0] if bias_table else 0
    side = math.isqrt(rows)
    if side * side != rows or side % 2 == 0:
        raise LayoutError("E-layout", "relative_position_bias_table", f"{rows} rows are not (2w-1)^2 for any window w")
    return (side + 1) // 2


def relative_position_index(bias_table: Tensor) -> Tensor:
    """(w^2, w^2) int64 out of a table of ((2w-1)^2, heads): the table's row for each pair of positions.

    Raises:
        LayoutError: the table is not one of a square window.
    """
    from codecspec.runtime.layers.window_attention import relative_position_index as index_of

    return index_of(_window(tuple(bias_table.shape)))


def identity(weight: Tensor) -> Tensor:
    """(C, C): the weight of a linear layer that changes nothing, beside a linear layer's (C, C)."""
    import torch

    return torch.eye(weight.shape[0], dtype=weight.dtype)


def zeros(bias: Tensor) -> Tensor:
    """(C,): the bias of a linear layer that changes nothing, beside a linear layer's (C,)."""
    import torch

    return torch.zeros(bias.shape, dtype=bias.dtype)


DERIVED: dict[str, DerivedTensor] = {
    "relative_position_index": DerivedTensor(relative_position_index, lambda table: (_window(table) ** 2,) * 2),
    "identity": DerivedTensor(identity, lambda weight: (*weight[:1], *weight[:1])),
    "zeros": DerivedTensor(zeros, lambda bias: bias),
}
"""Name in a layout -> what it does."""
