"""CompressAI's own coder, arrays in and bytes out: its strings are those of its `compress`, and read by it."""

from __future__ import annotations

import numpy as np
from compressai.ans import RansDecoder, RansEncoder

from codecspec.runtime.entropy_coding.tables import CodingTables, Int32, require_rows, require_symbols


def encode(symbols: Int32, indexes: Int32, tables: CodingTables) -> bytes:
    """Code `symbols` under the rows `indexes` of `tables`; both int32 (n,)."""
    require_symbols(symbols, indexes)
    require_rows(indexes, tables)
    return bytes(RansEncoder().encode_with_indexes(symbols.tolist(), indexes.tolist(), *tables.lists))


def decode(data: bytes | memoryview, indexes: Int32, tables: CodingTables, *, where: str = "coded symbols") -> Int32:
    """The inverse of `encode`."""
    require_rows(indexes, tables)
    values = RansDecoder().decode_with_indexes(bytes(data), indexes.tolist(), *tables.lists)
    return np.array(values, np.int32)
