"""What numba compiles for this package: one version of each loop, kept on disk where that can be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from codecspec.runtime.entropy_coding import (
    compiled,
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


LOOP = """
from compiled import compiled

@compiled
def double(x):
    return 2 * x
"""
RUN = "import loop; print(loop.double(21), sum(loop.double.stats.cache_misses.values()))"


@pytest.mark.parametrize("home", ["writable", "not writable"])
def test_a_folder_that_cannot_be_written_is_no_hindrance(tmp_path: Path, home: str) -> None:
    """The user's cache folder takes over; without one either, each process compiles anew."""
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "loop.py").write_text(LOOP)
    (tmp_path / "package" / "compiled.py").write_text(Path(compiled.__file__).read_text())
    (tmp_path / "package" / "__pycache__").write_text("a file, so that no folder of that name can be made")
    home_folder, package = tmp_path / "home", str(tmp_path / "package")
    places = {"HOME": str(home_folder), "XDG_CACHE_HOME": str(home_folder / "cache"), "PYTHONPATH": package}
    if home == "writable":
        home_folder.mkdir()
    else:
        home_folder.write_text("a file")
    others = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    command = [sys.executable, "-c", RUN]
    outputs = [
        subprocess.run(
            command, env={**others, **places}, capture_output=True, text=True, check=True, cwd=tmp_path
        ).stdout
        for _ in range(2)
    ]
    first, second = ([int(word) for word in output.split()] for output in outputs)
    assert [first[0], second[0]] == [42, 42]
    if home == "writable":
        assert [first[1], second[1]] == [1, 0], "compiled by the first process, found by the second"
