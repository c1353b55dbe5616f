"""Tensors that another tensor says: what a layout may drop if it is as expected, and make on the way back."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from codecspec.schema.errors import LayoutError

if TYPE_CHECKING:
    from torch import Tensor


def relative_position_index(bias_table: Tensor) -> Tensor:
    """(w^2, w^2) int64 out of a table of ((2w-1)^2, heads): the table's row for each pair of positions.

    Raises:
        LayoutError: the table is not one of a square window.
    """
    from codecspec.runtime.layers.window_attention import relative_position_index as index_of

    rows = bias_table.shape[0]
    side = math.isqrt(rows)
    if side * side != rows or side % 2 == 0:
        raise LayoutError("E-layout", "relative_position_bias_table", f"{rows} rows are not (2w-1)^2 for any window w")
    return index_of((side + 1) // 2)


def identity(weight: Tensor) -> Tensor:
    """(C, C): the weight of a linear layer that changes nothing, beside a linear layer's (C, C)."""
    import torch

    return torch.eye(weight.shape[0], dtype=weight.dtype)


def zeros(bias: Tensor) -> Tensor:
    """(C,): the bias of a linear layer that changes nothing, beside a linear layer's (C,)."""
    import torch

    return torch.zeros(bias.shape, dtype=bias.dtype)


DERIVED: dict[str, Callable[[Tensor], Tensor]] = {
    "relative_position_index": relative_position_index,
    "identity": identity,
    "zeros": zeros,
}
"""Name in a layout -> (the tensor it is derived from) -> the tensor."""
