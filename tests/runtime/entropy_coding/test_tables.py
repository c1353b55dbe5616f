"""Coding tables: what is refused, what is derived."""

from __future__ import annotations

import numpy as np
import pytest

from codecspec.runtime.entropy_coding.tables import (
    MAX_OFFSET,
    CodingTables,
    require_rows,
    require_symbols,
    table_problem,
)
from codecspec.schema.errors import StreamError
from tests.runtime.entropy_coding.example_tables import TOTAL, Int32, gaussian_tables, random_arrays, random_tables

Arrays = tuple[Int32, Int32, Int32]


def arrays() -> Arrays:
    cdf = np.array([[0, 10, 20, TOTAL], [0, 5, TOTAL, 0]], np.int32)
    return cdf, np.array([4, 3], np.int32), np.array([-1, 0], np.int32)


def changed(which: int, place: tuple[int, ...], value: int) -> Arrays:
    found = arrays()
    found[which][place] = value
    return found


BAD = {
    "flat": (changed(0, (0, 2), 10), "does not rise"),
    "falls": (changed(0, (0, 1), 30), "does not rise"),
    "starts late": (changed(0, (1, 0), 1), "does not rise"),
    "ends early": (changed(0, (1, 2), TOTAL - 1), "does not rise"),
    "negative": (changed(0, (0, 1), -10), "does not rise"),
    "too short": (changed(1, (1,), 2), "rows of 2 to 4"),
    "too long": (changed(1, (0,), 5), "rows of 3 to 5"),
    "far off": (changed(2, (0,), MAX_OFFSET + 1), "_offset goes"),
    "far below": (changed(2, (0,), -(1 << 31)), "_offset goes"),
    "one row less": ((arrays()[0][:1], *arrays()[1:]), "2 rows each"),
    "no matrix": ((arrays()[0][0], *arrays()[1:]), "2 rows each"),
    "empty": ((np.zeros((0, 0), np.int32), np.zeros(0, np.int32), np.zeros(0, np.int32)), "no rows"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_table_is_refused(what: str) -> None:
    found, message = BAD[what]
    with pytest.raises(StreamError, match=message) as refused:
        CodingTables(*found)
    assert refused.value.code == "E-stream"


def test_good_tables_and_none_yet_are_no_problem() -> None:
    cdf, lengths, offsets = arrays()
    assert table_problem(offsets, cdf, lengths, 2) is None
    empty = np.zeros(0, np.int32)
    assert table_problem(empty, empty, empty, 2) is None


def test_other_dtypes_are_refused() -> None:
    cdf, lengths, offsets = arrays()
    with pytest.raises(TypeError, match="cdf of dtype int64"):
        CodingTables(cdf.astype(np.int64), lengths, offsets)  # type: ignore[arg-type]


def test_the_digest_is_of_what_codes() -> None:
    digest = CodingTables(*arrays()).digest
    assert len(digest) == 32
    assert CodingTables(*changed(0, (1, 3), 99)).digest == digest, "behind the row's end"
    wider = np.pad(arrays()[0], [(0, 0), (0, 3)])
    assert CodingTables(wider, *arrays()[1:]).digest == digest
    others = [changed(0, (0, 1), 11), changed(2, (0,), 0)]
    assert all(CodingTables(*other).digest != digest for other in others)


def test_every_count_is_found_in_its_interval() -> None:
    for tables in (gaussian_tables(), random_tables(np.random.default_rng(1))):
        entries = tables.entries.astype(np.int64)
        firsts, counts = entries >> 16 & 0xFFFF, entries & 0xFFFF
        for row in range(tables.rows):
            start, size = tables.starts[row], tables.escapes[row] + 1
            assert counts[start : start + size].sum() == TOTAL
            buckets = tables.lookup[256 * row : 256 * (row + 1)]
            found = np.searchsorted(firsts[start : start + size], np.arange(256) << 8, "right") - 1 + start
            assert np.array_equal(buckets, found)


def test_entries_hold_values() -> None:
    tables = CodingTables(*arrays())
    assert (tables.entries.astype(np.int64) >> 32).tolist()[:3] == [-1, 0, -(1 << 31)]


def test_tables_keep_their_own_arrays() -> None:
    found = random_arrays(np.random.default_rng(2), 3, 9)
    tables = CodingTables(*found)
    before = tables.offsets.copy()
    found[2][:] = 0
    assert np.array_equal(tables.offsets, before)


def test_arguments_are_checked() -> None:
    tables = CodingTables(*arrays())
    good = np.zeros(4, np.int32)
    require_symbols(good, good)
    for bad in (good.astype(np.int64), good[::2], good.reshape(2, 2), good.tolist()):
        with pytest.raises(TypeError, match="symbols"):
            require_symbols(bad, good)
        with pytest.raises(TypeError, match="indexes"):
            require_rows(bad, tables)
    with pytest.raises(TypeError, match="4 symbols and 3 indexes"):
        require_symbols(good, good[:3])
    for row in (-1, 2):
        with pytest.raises(ValueError, match="rows 0 to 1"):
            require_rows(np.array([0, row], np.int32), tables)
