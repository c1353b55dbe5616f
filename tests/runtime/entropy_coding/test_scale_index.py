"""From scales to rows: CompressAI's `build_indexes` for every float32."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from compressai.entropy_models import GaussianConditional
from numpy.typing import NDArray

from codecspec.runtime.entropy_coding.scale_index import scale_indexes
from tests.runtime.entropy_coding.example_tables import gaussian

Float32 = NDArray[np.float32]


def theirs(scales: Float32, table: Float32, lower_bound: float) -> NDArray[np.int32]:
    model = GaussianConditional(None, scale_bound=lower_bound)
    model.scale_table = torch.from_numpy(table)
    return model.build_indexes(torch.from_numpy(scales)).numpy()


def same(scales: Float32, table: Float32, lower_bound: float = 0.11) -> bool:
    return np.array_equal(scale_indexes(scales, table, lower_bound), theirs(scales, table, lower_bound))


def around(values: Float32) -> Float32:
    """The values, and the 50 floats next to each on both sides."""
    bits = values.view(np.int32)[:, None] + np.arange(-50, 51, dtype=np.int32)
    return bits.reshape(-1).view(np.float32)


def log_table(low: float, high: float, rows: int) -> Float32:
    return np.exp(np.linspace(np.log(low), np.log(high), rows)).astype(np.float32)


TABLES = {
    "compressai's": (gaussian().scale_table.numpy(), 0.11),
    "bound inside": (gaussian().scale_table.numpy(), 0.5),
    "bound below": (gaussian().scale_table.numpy(), 1e-9),
    "bound on a boundary": (gaussian().scale_table.numpy(), float(gaussian().scale_table[7])),
    "bound above all": (gaussian().scale_table.numpy(), 1000.0),
    "one row": (np.array([0.3], np.float32), 0.11),
    "two rows": (np.array([0.3, 0.4], np.float32), 0.11),
    "many rows": (log_table(0.01, 1000, 700), 0.02),
    "dense": (around(np.array([0.25, 1.0, 7.3], np.float32)), 0.11),
    "equal rows": (np.array([0.2, 0.5, 0.5, 0.5, 2.0], np.float32), 0.11),
    "far apart": (np.array([1e-40, 1e-20, 1.0, 1e20, 3e38], np.float32), 1e-42),
}


@pytest.mark.parametrize("name", TABLES)
def test_at_and_around_every_boundary(name: str) -> None:
    table, lower_bound = TABLES[name]
    assert same(around(table), table, lower_bound)
    assert same(around(np.array([lower_bound], np.float32)), table, lower_bound)
    assert same(table[-1] * np.linspace(0, 1.1, 5000, dtype=np.float32), table, lower_bound)


@pytest.mark.parametrize("name", TABLES)
def test_any_bits(name: str) -> None:
    table, lower_bound = TABLES[name]
    bits = np.random.default_rng(0).integers(0, 1 << 32, 200_000, dtype=np.uint32)
    assert same(bits.view(np.float32), table, lower_bound)


def test_millions_of_bits() -> None:
    rng = np.random.default_rng(1)
    for _ in range(4):
        bits = rng.integers(0, 1 << 32, 1 << 20, dtype=np.uint32)
        assert same(bits.view(np.float32), gaussian().scale_table.numpy())


def test_what_is_no_number_and_no_scale() -> None:
    special = [np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, -1.0, 1e-45, -1e-45, 1e-38, 3.4e38, -3.4e38]
    scales = np.array(special, np.float32)
    assert same(scales, gaussian().scale_table.numpy())
    assert scale_indexes(scales, gaussian().scale_table.numpy()).tolist() == [63, 63, 63, *[0] * 7, 63, 0]
    assert same(np.zeros(0, np.float32), gaussian().scale_table.numpy())


def test_arguments_are_checked() -> None:
    table = gaussian().scale_table.numpy()
    good = np.ones(4, np.float32)
    for bad in (good.astype(np.float64), good[::2], good.reshape(2, 2), good.tolist()):
        with pytest.raises(TypeError, match="scales"):
            scale_indexes(bad, table)
        with pytest.raises(TypeError, match="scale_table"):
            scale_indexes(good, bad)
    for wrong in ([], [1, 0.5], [0, 1], [-1, 1], [1, np.inf], [np.nan, 1]):
        with pytest.raises(ValueError, match="rising"):
            scale_indexes(good, np.array(wrong, np.float32))
    with pytest.raises(ValueError, match="lower bound"):
        scale_indexes(good, table, 0.0)
