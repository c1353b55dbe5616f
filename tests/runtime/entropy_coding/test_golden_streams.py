"""Fixed symbols, exact bytes: these change only with the version of the stream format."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from codecspec.runtime.entropy_coding import compressai_coder, rans
from codecspec.runtime.entropy_coding.scale_index import scale_indexes
from codecspec.runtime.entropy_coding.syndromes import syndromes
from tests.runtime.entropy_coding.example_tables import fixed_symbols, fixed_tables

GOLDEN = json.loads((Path(__file__).parent / "golden_streams.json").read_text())
CODERS = {"rans": rans, "compressai": compressai_coder}


@pytest.mark.parametrize("coder", CODERS)
@pytest.mark.parametrize("name", ["one", "few", "long"])
def test_the_bytes_are_those(coder: str, name: str) -> None:
    symbols, rows = fixed_symbols(20_000)
    count = {"one": 1, "few": 60, "long": len(symbols)}[name]
    data = CODERS[coder].encode(symbols[:count], rows[:count], fixed_tables())
    expected = GOLDEN[coder][name]
    assert [len(data), hashlib.sha256(data).hexdigest() if name == "long" else data.hex()] == expected
    assert np.array_equal(CODERS[coder].decode(data, rows[:count], fixed_tables()), symbols[:count])


def test_the_digest_of_tables_is_that() -> None:
    assert fixed_tables().digest.hex() == GOLDEN["tables"]


@pytest.mark.parametrize("count", [1, 5000, 70_000])
def test_the_syndromes_are_those(count: int) -> None:
    indexes = np.arange(count, dtype=np.int32) ** 2 % 64
    assert syndromes(indexes.astype(np.int32)).hex() == GOLDEN["syndromes"][str(count)]


def test_the_indexes_of_scales_are_those() -> None:
    table = np.array([0.11, 0.25, 0.5, 1, 2, 4], np.float32)
    scales = np.array([0.1, 0.11, 0.2501, 0.5, 0.6, 3.9, 4, 5, np.inf], np.float32)
    assert scale_indexes(scales, table).tolist() == [0, 0, 2, 2, 3, 5, 5, 5, 5]
