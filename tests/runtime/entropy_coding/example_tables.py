"""Coding tables for tests: CompressAI's of a Gaussian, random ones, and small ones that are the same everywhere."""

from __future__ import annotations

from functools import cache

import numpy as np
from compressai.entropy_models import GaussianConditional
from compressai.models.base import get_scale_table
from numpy.typing import NDArray

from codecspec.runtime.entropy_coding.tables import CodingTables

Int32 = NDArray[np.int32]
TOTAL = 1 << 16
INT32 = np.iinfo(np.int32)


@cache
def gaussian() -> GaussianConditional:
    model = GaussianConditional(None)
    model.update_scale_table(get_scale_table().tolist())
    return model


@cache
def gaussian_tables() -> CodingTables:
    model = gaussian()
    return CodingTables(model._quantized_cdf.numpy(), model._cdf_length.numpy(), model._offset.numpy())


def gaussian_symbols(count: int, seed: int = 0, largest: float = 8.0) -> tuple[Int32, Int32]:
    """Symbols of scales that are uniform in their logarithm, and their rows."""
    rng = np.random.default_rng(seed)
    scales = np.exp(rng.uniform(np.log(0.11), np.log(largest), count))
    rows = np.searchsorted(gaussian().scale_table.numpy()[:-1], scales).astype(np.int32)
    return np.rint(rng.normal(size=count) * scales).astype(np.int32), rows


def random_arrays(rng: np.random.Generator, rows: int, width: int) -> tuple[Int32, Int32, Int32]:
    """(cdf, lengths, offsets) of `rows` rows of 3 to `width` columns."""
    lengths = rng.integers(3, width + 1, rows).astype(np.int32)
    cdf = rng.integers(-5, 5, (rows, width)).astype(np.int32)  # what stands behind a row's end means nothing
    for row, length in zip(cdf, lengths, strict=True):
        inner = rng.choice(np.arange(1, TOTAL), length - 2, replace=False)
        row[:length] = [0, *np.sort(inner), TOTAL]
    return cdf, lengths, rng.integers(-1000, 1000, rows).astype(np.int32)


def random_tables(rng: np.random.Generator, rows: int = 5, width: int = 40) -> CodingTables:
    return CodingTables(*random_arrays(rng, rows, width))


def fixed_tables() -> CodingTables:
    """Four rows, by integers alone: the narrowest, a steep one, a wide one, one whose escape takes nearly all."""
    wide = [0, *(300 * k for k in range(1, 200)), TOTAL]
    rows = [[0, 65_535, TOTAL], [0, 1, 2_000, 60_000, 65_500, TOTAL], wide, [0, 1, 2, TOTAL]]
    cdf = np.zeros((4, len(wide)), np.int32)
    for k, row in enumerate(rows):
        cdf[k, : len(row)] = row
    return CodingTables(cdf, np.array([len(row) for row in rows], np.int32), np.array([0, -2, -100, 7], np.int32))


def fixed_symbols(count: int) -> tuple[Int32, Int32]:
    """Symbols in and out of `fixed_tables`, and rows, from a linear congruence; the extremes of int32 come first."""
    state, symbols, rows = 1, [INT32.max, INT32.min, 0, -1], [0, 1, 2, 3]
    for _ in range(count):
        state = (1_103_515_245 * state + 12_345) % (1 << 31)
        spread = 3 if state >> 16 & 15 else 5_000
        symbols.append((state >> 8) % (2 * spread + 1) - spread)
        rows.append(state >> 20 & 3)
    return np.array(symbols, np.int32), np.array(rows, np.int32)
