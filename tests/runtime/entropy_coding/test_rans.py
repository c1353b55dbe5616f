"""rANS over arrays: what goes in comes out, in pieces too, and as a reader written from the description reads it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codecspec.runtime.entropy_coding import rans
from codecspec.runtime.entropy_coding.tables import CodingTables
from codecspec.schema.errors import StreamError
from tests.runtime.entropy_coding.example_tables import (
    INT32,
    Int32,
    fixed_symbols,
    fixed_tables,
    gaussian_symbols,
    gaussian_tables,
    random_tables,
)


def round_trips(symbols: Int32, rows: Int32, tables: CodingTables) -> bool:
    return np.array_equal(rans.decode(rans.encode(symbols, rows, tables), rows, tables), symbols)


@given(st.lists(st.tuples(st.integers(INT32.min, INT32.max), st.integers(0, 4)), max_size=40), st.integers(0, 99))
@settings(deadline=None)
def test_every_int32_comes_back(coded: list[tuple[int, int]], seed: int) -> None:
    symbols, rows = np.array(coded, np.int32).reshape(-1, 2).T.copy()
    assert round_trips(symbols, rows, random_tables(np.random.default_rng(seed)))


def test_powers_of_two_and_their_neighbours_come_back() -> None:
    powers = [sign * (1 << k) + near for k in range(31) for sign in (1, -1) for near in (-1, 0, 1)]
    symbols = np.array([*powers, INT32.min, INT32.max], np.int32)
    tables = fixed_tables()
    for row in range(tables.rows):
        assert round_trips(symbols, np.full(len(symbols), row, np.int32), tables)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 1000, 200_001])
@pytest.mark.parametrize("value", [0, 1, -3, 10**6])
def test_constants_come_back(count: int, value: int) -> None:
    symbols, rows = np.full(count, value, np.int32), np.full(count, 30, np.int32)
    assert round_trips(symbols, rows, gaussian_tables())


def test_nothing_is_nothing() -> None:
    none = np.zeros(0, np.int32)
    assert rans.encode(none, none, gaussian_tables()) == b""
    assert rans.encode_segments([]) == (b"", [])


def test_the_cost_is_that_of_the_tables() -> None:
    symbols, rows = gaussian_symbols(100_000)
    tables = gaussian_tables()
    entries = tables.entries[tables.starts[rows] + symbols - tables.offsets[rows]]
    ideal = -np.log2((entries & np.uint64(0xFFFF)) / 65536).sum() / 8
    assert ideal < len(rans.encode(symbols, rows, tables)) < 1.0001 * ideal + 9


def test_escapes_cost_what_they_need() -> None:
    """Each is 16 bits for the escape, 6 for a number of bits, and these."""
    symbols, rows = np.full(10_000, 1_000, np.int32), np.zeros(10_000, np.int32)
    tables = CodingTables(np.array([[0, 65_535, 65_536]], np.int32), np.array([3], np.int32), np.zeros(1, np.int32))
    assert 10_000 * (16 + 6 + 10) / 8 <= len(rans.encode(symbols, rows, tables)) <= 10_000 * 32 / 8 + 9


def segments_of(symbols: Int32, rows: Int32, cuts: list[int]) -> list[tuple[Int32, Int32]]:
    return list(zip(np.split(symbols, cuts), np.split(rows, cuts), strict=True))


def test_segments_leave_no_trace() -> None:
    symbols, rows = fixed_symbols(1000)
    tables = fixed_tables()
    pieces = segments_of(symbols, rows, [0, 1, 2, 500, 500, 501, 900])
    data, ends = rans.encode_segments([(*piece, tables) for piece in pieces])
    assert data == rans.encode(symbols, rows, tables)
    assert ends[0] == 0
    assert ends == sorted(ends)
    assert ends[-1] == len(data)


def test_segments_of_other_tables_decode_in_order_as_they_come_in() -> None:
    tables = [gaussian_tables(), random_tables(np.random.default_rng(3)), fixed_tables()]
    coded = [gaussian_symbols(5001), fixed_symbols(10), (np.zeros(0, np.int32),) * 2, fixed_symbols(777)]
    segments = [(*piece, tables[k % 3]) for k, piece in enumerate(coded)]
    data, ends = rans.encode_segments(segments)
    decoder = rans.Decoder()
    for start, end, (symbols, rows, table) in zip([0, *ends], ends, segments, strict=False):
        decoder.feed(data[start:end])
        assert np.array_equal(decoder.decode(rows, table), symbols)
        assert decoder.position == decoder.fed == end
    decoder.finish()


def test_pieces_of_any_size_decode() -> None:
    symbols, rows = fixed_symbols(501)
    tables = fixed_tables()
    decoder = rans.Decoder(rans.encode(symbols, rows, tables))
    pieces = [decoder.decode(part, tables) for part in np.split(rows, [1, 2, 2, 7, 100, 333])]
    decoder.finish()
    assert np.array_equal(np.concatenate(pieces), symbols)


def test_memory_that_is_not_ours_decodes() -> None:
    symbols, rows = fixed_symbols(50)
    data = memoryview(b"x" + rans.encode(symbols, rows, fixed_tables()))[1:]
    assert np.array_equal(rans.decode(data, rows, fixed_tables()), symbols)


def test_what_ends_too_early_or_too_late_is_refused() -> None:
    symbols, rows = gaussian_symbols(400)
    tables = gaussian_tables()
    data = rans.encode(symbols, rows, tables)
    for cut in range(len(data)):
        with pytest.raises(StreamError, match="slice 3"):
            rans.decode(data[:cut], rows, tables, where="slice 3")
    with pytest.raises(StreamError, match="2 bytes are left"):
        rans.decode(data + b"ab", rows, tables)
    with pytest.raises(StreamError):
        rans.decode(data, rows[:-1], tables)
    with pytest.raises(StreamError):
        rans.decode(data, np.append(rows, rows[:1]), tables)


def test_wrong_rows_are_noticed() -> None:
    symbols, rows = gaussian_symbols(2000)
    tables = gaussian_tables()
    data = rans.encode(symbols, rows, tables)
    for place in range(0, 2000, 7):
        wrong = rows.copy()
        wrong[place] += 1
        with pytest.raises(StreamError):
            rans.decode(data, wrong, tables)


def read(data: bytes, rows: list[int], tables: CodingTables) -> list[int]:
    """A reader written from the description at the head of rans.py."""
    head = int.from_bytes(data[:9], "little")
    states, words = (
        [head % 2**36, head >> 36],
        [int.from_bytes(data[k : k + 2], "little") for k in range(9, len(data), 2)],
    )

    def take(turn: int, first: int, counts: int) -> None:
        states[turn] = counts * (states[turn] >> 16) + states[turn] % 2**16 - first
        if states[turn] < 2**20:
            states[turn] = states[turn] << 16 | words.pop(0)

    def bits(turn: int, number: int) -> int:
        value = states[turn] % 2**16 >> (16 - number)
        take(turn, value << (16 - number), 1 << (16 - number))
        return value

    symbols = []
    for i, row in enumerate(rows):
        turn, symbol = i % 2, 0
        intervals = [(int(e) >> 16 & 0xFFFF, int(e) & 0xFFFF) for e in tables.entries[tables.starts[row] :]]
        while not sum(intervals[symbol]) > states[turn] % 2**16:
            symbol += 1
        take(turn, *intervals[symbol])
        escape = int(tables.escapes[row])
        if symbol == escape:
            number, leading = bits(turn, 6), 1
            for piece in [*([number % 15] if number % 15 else []), *[15] * (number // 15)]:
                leading = leading << piece | bits(turn, piece)
            symbol = leading // 2 + escape if leading % 2 else -leading // 2
        symbols.append(symbol + int(tables.offsets[row]))
    assert (states, words) == ([2**20] * 2, [])
    return symbols


def test_the_description_is_enough_to_read_a_stream() -> None:
    symbols, rows = fixed_symbols(300)
    assert read(rans.encode(symbols, rows, fixed_tables()), rows.tolist(), fixed_tables()) == symbols.tolist()
