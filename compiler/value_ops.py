"""What a layout may do to a tensor's values on the way, each with its inverse."""

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
class ValueOp:
    """One operation.

    Args:
        there: a tensor of the layout -> the canonical one.
        back: the inverse, bit for bit.
        shape: a shape of the layout -> the canonical one. All raise LayoutError for a shape that they are not for.
    """

    there: Callable[[Tensor], Tensor]
    back: Callable[[Tensor], Tensor]
    shape: Callable[[Shape], Shape]


def _table_shape(grid: Shape) -> Shape:
    if len(grid) != 3 or grid[1] != grid[2]:
        raise LayoutError("E-layout", "relative_position_table", f"{list(grid)} is not (heads, 2w-1, 2w-1)")
    return grid[1] ** 2, grid[0]


def _table_of_grid(grid: Tensor) -> Tensor:
    """(heads, 2w-1, 2w-1) -> ((2w-1)^2, heads)."""
    shape = _table_shape(tuple(grid.shape))
    return grid.permute(1, 2, 0).reshape(shape)


def _grid_of_table(table: Tensor) -> Tensor:
    """((2w-1)^2, heads) -> (heads, 2w-1, 2w-1)."""
    side = math.isqrt(table.shape[0])
    if table.ndim != 2 or side * side != table.shape[0]:
        raise LayoutError("E-layout", "relative_position_table", f"{list(table.shape)} is not ((2w-1)^2, heads)")
    return table.view(side, side, -1).permute(2, 0, 1).contiguous()


VALUE_OPS: dict[str, ValueOp] = {"relative_position_table": ValueOp(_table_of_grid, _grid_of_table, _table_shape)}
"""Name in a layout -> the operation."""
