"""What numba compiles for this package: one version of each loop."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from codecspec.runtime.entropy_coding import (
    compressai_coder,
    compressai_kernels,
    rans,
    rans_kernels,
    scale_kernels,
    syndrome_kernels,
)
from codecspec.runtime.entropy_coding.scale_index import scale_indexes
from codecspec.runtime.entropy_coding.syndromes import reconcile, syndromes
from tests.contracts.source_files import imports, source_files
from tests.runtime.entropy_coding.example_tables import fixed_symbols, fixed_tables, gaussian, gaussian_tables

KERNELS = [
    compressai_kernels.decode,
    compressai_kernels.encode,
    rans_kernels.decode,
    rans_kernels.encode,
    scale_kernels.indexes_of,
    syndrome_kernels.columns,
    syndrome_kernels.distances,
    syndrome_kernels.sum_columns,
]


def test_each_loop_is_compiled_once_whatever_comes_in() -> None:
    table = np.frombuffer(gaussian().scale_table.numpy().tobytes(), np.float32)  # cannot be written
    scales = np.exp(np.random.default_rng(0).normal(size=5000)).astype(np.float32)
    for view in (scales, scales[10:], np.frombuffer(scales.tobytes(), np.float32)):
        indexes = scale_indexes(view, table)
        reconcile((view * np.float32(1.00001)).astype(np.float32), table, syndromes(indexes))
        reconcile(view, table, syndromes(indexes))
    symbols, rows = fixed_symbols(300)
    frozen_symbols, frozen_rows = (np.frombuffer(array.tobytes(), np.int32) for array in (symbols, rows))
    for coder in (rans, compressai_coder):
        for tables in (fixed_tables(), gaussian_tables()):
            data = coder.encode(symbols, rows, tables)
            assert coder.encode(frozen_symbols, frozen_rows, tables) == data
            assert np.array_equal(coder.decode(memoryview(data), frozen_rows, tables), symbols)
    assert {
        kernel.py_func.__qualname__: len(kernel.signatures) for kernel in KERNELS if len(kernel.signatures) > 1
    } == {}


def test_only_what_codes_imports_numba() -> None:
    """Loops, and with them numba, are imported inside the functions that run them."""
    found = [each for file in source_files("runtime") if not is_of_loops(file) for each in imports(file)]
    assert [
        str(each) for each in found if not each.lazy and (each.is_of("numba") or is_of_loops(Path(each.name)))
    ] == []


def is_of_loops(file: Path) -> bool:
    return file.name in ("compiled.py",) or file.name.removesuffix(".py").endswith(("_kernels", ".compiled"))
