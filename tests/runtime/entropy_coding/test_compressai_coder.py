"""CompressAI's strings: the very bytes that CompressAI writes, read by either; safe where CompressAI is not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from compressai.ans import RansDecoder, RansEncoder
from compressai.entropy_models import EntropyBottleneck
from hypothesis import given, settings
from hypothesis import strategies as st

from codecspec.runtime.entropy_coding import compressai_coder as coder
from codecspec.runtime.entropy_coding.tables import CodingTables
from codecspec.schema.errors import StreamError
from tests.runtime.entropy_coding.example_tables import (
    INT32,
    Int32,
    fixed_symbols,
    fixed_tables,
    gaussian,
    gaussian_symbols,
    gaussian_tables,
    random_arrays,
    random_tables,
)

CODABLE = 1 << 26
"""CompressAI's encoder never returns from values twice as far from their row."""


@given(st.lists(st.tuples(st.integers(-CODABLE, CODABLE), st.integers(0, 4)), min_size=2), st.integers(0, 99))
@settings(deadline=None)
def test_the_bytes_are_compressais(coded: list[tuple[int, int]], seed: int) -> None:
    symbols, rows = np.array(coded, np.int32).T.copy()
    arrays = random_arrays(np.random.default_rng(seed), rows=5, width=40)
    lists = [array.tolist() for array in arrays]
    theirs = RansEncoder().encode_with_indexes(symbols.tolist(), rows.tolist(), *lists)
    assert coder.encode(symbols, rows, CodingTables(*arrays)) == theirs
    assert RansDecoder().decode_with_indexes(theirs, rows.tolist(), *lists) == symbols.tolist()


def test_a_gaussian_conditional_reads_and_writes_them() -> None:
    symbols, rows = gaussian_symbols(20_000)
    ours = coder.encode(symbols, rows, gaussian_tables())
    values, indexes = torch.from_numpy(symbols).float()[None], torch.from_numpy(rows)[None]
    assert gaussian().compress(values, indexes) == [ours]
    assert torch.equal(gaussian().decompress([ours], indexes), values)
    assert np.array_equal(coder.decode(ours, rows, gaussian_tables()), symbols)


def test_an_entropy_bottleneck_reads_and_writes_them() -> None:
    torch.manual_seed(0)
    model = EntropyBottleneck(6)
    model.update()
    tables = CodingTables(model._quantized_cdf.numpy(), model._cdf_length.numpy(), model._offset.numpy())
    z = torch.randn(1, 6, 5, 4) * 20
    rows = np.repeat(np.arange(6, dtype=np.int32), 20)
    medians = model._get_medians().reshape(1, 6, 1, 1)
    symbols = torch.round(z - medians).int().numpy().reshape(-1)
    ours = coder.encode(symbols, rows, tables)
    assert model.compress(z) == [ours]
    assert torch.equal(model.decompress([ours], (5, 4)), torch.from_numpy(symbols.reshape(1, 6, 5, 4)) + medians)


@given(st.lists(st.tuples(st.integers(INT32.min, INT32.max), st.integers(0, 4)), max_size=40), st.integers(0, 99))
@settings(deadline=None)
def test_every_int32_comes_back(coded: list[tuple[int, int]], seed: int) -> None:
    symbols, rows = np.array(coded, np.int32).reshape(-1, 2).T.copy()
    tables = random_tables(np.random.default_rng(seed))
    assert np.array_equal(coder.decode(coder.encode(symbols, rows, tables), rows, tables), symbols)


def test_pieces_of_any_size_decode() -> None:
    symbols, rows = fixed_symbols(500)
    decoder = coder.Decoder(coder.encode(symbols, rows, fixed_tables()))
    pieces = [decoder.decode(part, fixed_tables()) for part in np.split(rows, [1, 2, 2, 333])]
    decoder.finish()
    assert np.array_equal(np.concatenate(pieces), symbols)


def test_what_ends_too_early_or_too_late_is_refused() -> None:
    symbols, rows = gaussian_symbols(400)
    data = coder.encode(symbols, rows, gaussian_tables())
    for cut in range(len(data)):
        with pytest.raises(StreamError, match="slice 3"):
            coder.decode(data[:cut], rows, gaussian_tables(), where="slice 3")
    with pytest.raises(StreamError):
        coder.decode(data + b"abcd", rows, gaussian_tables())


def test_empty_strings_are_none() -> None:
    none: Int32 = np.zeros(0, np.int32)
    data = coder.encode(none, none, gaussian_tables())
    assert len(data) == 8
    assert len(coder.decode(data, none, gaussian_tables())) == 0
    with pytest.raises(StreamError, match="0 bytes"):
        coder.decode(b"", none, gaussian_tables())
