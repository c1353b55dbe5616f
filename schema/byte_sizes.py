"""Amounts of memory as people write them."""

from __future__ import annotations

import re

from codecspec.schema.errors import UsageError

UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
_SIZE = re.compile(r"\s*(\d{1,15}(?:\.\d{1,9})?)\s*([A-Za-z]*)\s*")


def byte_size(given: int | str, where: str = "max_memory") -> int:
    """`3GB` (powers of 1000), `2.5 GiB` (powers of 1024), a bare number of bytes -> bytes.

    Args:
        given: the amount.
        where: what an error calls it.

    Raises:
        UsageError: it is none, or less than a byte.
    """
    found = _SIZE.fullmatch(str(given))
    unit = UNITS.get(found[2].upper() or "B") if found else None
    if found is None or unit is None or float(found[1]) * unit < 1 or isinstance(given, bool):
        message = f"an amount of memory is a number and a unit, kB MB GB KiB MiB GiB, or bytes alone; found {given!r}"
        raise UsageError("E-usage", where, message, "such as 3GB")
    return int(float(found[1]) * unit)


def said(num_bytes: float) -> str:
    """`3.00 GB`."""
    return f"{num_bytes / 10**9:.2f} GB" if num_bytes >= 10**9 else f"{num_bytes / 10**6:.0f} MB"
