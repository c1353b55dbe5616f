"""Amounts of memory as people write them."""

from __future__ import annotations

import pytest

from codecspec.schema.byte_sizes import byte_size, said
from codecspec.schema.errors import UsageError


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (3_000_000_000, 3_000_000_000),
        ("3000000000", 3_000_000_000),
        ("3GB", 3_000_000_000),
        ("3 gb", 3_000_000_000),
        ("2.5GiB", 5 * 2**29),
        (" 512MiB ", 2**29),
        ("800 kB", 800_000),
        ("1B", 1),
    ],
)
def test_sizes(given: int | str, expected: int) -> None:
    assert byte_size(given) == expected


@pytest.mark.parametrize("given", ["", "GB", "3 parsecs", "-3GB", "0", 0, -1, "1e9", "3GB4", "nan", "0.1", True])
def test_what_is_no_size_is_refused(given: int | str) -> None:
    with pytest.raises(UsageError, match="E-usage at --max-memory: an amount of memory") as caught:
        byte_size(given, "--max-memory")
    assert repr(given) in str(caught.value)


def test_said() -> None:
    assert said(3.02e9) == "3.02 GB"
    assert said(512e6) == "512 MB"
