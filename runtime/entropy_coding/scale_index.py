"""From scales to the rows of the Gaussian coding tables: CompressAI's `build_indexes`, found through a float's bits."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from codecspec.runtime.entropy_coding.tables import Int32, require_floats

Float32 = NDArray[np.float32]

LOWER_BOUND = 0.11
"""CompressAI's lower bound of scales."""
SHIFT = 18
"""The bits of a float32 behind its sign, exponent and five leading bits of its fraction."""


class Boundaries(NamedTuple):
    """What `scale_indexes` looks up, all of it as the bits of float32 numbers, which rise as the numbers do.

    Args:
        bits: int32 (L,), the scales between the rows, and one that is never exceeded.
        first: int32 (2^(32 - SHIFT - 1),), the row of the smallest float that starts with these bits.
        steps: boundaries between floats that start alike, at most.
        lowest: bits of the lower bound.
        lowest_row: the row of the lower bound.
    """

    bits: Int32
    first: Int32
    steps: int
    lowest: int
    lowest_row: int


def scale_indexes(scales: Float32, scale_table: Float32, lower_bound: float = LOWER_BOUND) -> Int32:
    """The row of the coding tables for each scale: how many of `scale_table[:-1]` lie below max(scale, lower_bound).

    Equal to `GaussianConditional.build_indexes` for every float32: a negative scale is bounded, NaN takes the last row.

    Args:
        scales: float32 (n,).
        scale_table: float32 (L,), positive and rising.
        lower_bound: positive.
    """
    from codecspec.runtime.entropy_coding import scale_kernels

    scales = require_floats(scales, "scales")
    table = boundaries(scale_table, lower_bound)
    out = np.empty(len(scales), np.int32)
    scale_kernels.indexes_of(scales.view(np.int32), table.bits, table.first, table.steps, table.lowest, out)
    return out


def boundaries(scale_table: Float32, lower_bound: float) -> Boundaries:
    """The lookups of a scale table; kept, since a model has one."""
    require_floats(scale_table, "scale_table")
    return _boundaries(scale_table.tobytes(), float(lower_bound))


@lru_cache(maxsize=16)
def _boundaries(table: bytes, lower_bound: float) -> Boundaries:
    scales = np.frombuffer(table, np.float32)
    lowest = np.float32(lower_bound)
    if not len(scales) or not np.isfinite(scales).all() or scales[0] <= 0 or (np.diff(scales) < 0).any() or lowest <= 0:
        raise ValueError("a scale table is positive, finite and rising, and a lower bound positive")
    bits = np.append(scales[:-1].view(np.int32), np.int32(0x7FFFFFFF))
    starts = np.arange(1 << (31 - SHIFT), dtype=np.int64) << SHIFT
    first = np.searchsorted(bits, starts, "left").astype(np.int32)
    steps = int(np.diff(np.append(first, len(scales) - 1)).max())
    row = int(np.searchsorted(scales[:-1], lowest, "left"))
    return Boundaries(bits, first, steps, int(lowest.view(np.int32)), row)
