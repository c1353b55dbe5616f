"""Coding tables as arrays: what CompressAI's entropy models call `_quantized_cdf`, `_cdf_length` and `_offset`.

Row r codes the values `offsets[r]` to `offsets[r] + lengths[r] - 3`; the interval after those is the escape, which
stands for every other value. `cdf[r, s]` to `cdf[r, s + 1]` is the interval of the row's symbol s, out of 2^16.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codecspec.schema.errors import StreamError

PRECISION = 16
"""Bits of a cumulative probability in a table."""
LOOKUP_BITS = 8
"""Leading bits of a cumulative count by which a decoder finds a symbol, or one a few before it."""
ESCAPE = -(1 << 31)
"""The value that `CodingTables.entries` gives an escape; no offset lets a row have it."""
MAX_OFFSET = 1 << 30

Int32 = NDArray[np.int32]


def table_problem(offsets: NDArray[Any], cdf: NDArray[Any], lengths: NDArray[Any], rows: int) -> str | None:
    """What keeps three integer arrays from being the coding tables of `rows` densities, or None.

    Coders take tables as they are; CompressAI's never comes back from some that are wrong.
    """
    if offsets.size == cdf.size == lengths.size == 0:
        return None
    if offsets.shape != (rows,) or lengths.shape != (rows,) or cdf.ndim != 2 or cdf.shape[0] != rows:
        shapes = [list(array.shape) for array in (offsets, cdf, lengths)]
        return f"_offset, _quantized_cdf and _cdf_length of shapes {shapes}; {rows} rows each are needed"
    shortest, longest = int(lengths.min()), int(lengths.max())
    if shortest < 3 or longest > cdf.shape[1]:
        return f"_cdf_length has rows of {shortest} to {longest}, the table {cdf.shape[1]} columns"
    inside = np.arange(cdf.shape[1])[None, :] < lengths[:, None]
    rising = (cdf[:, 1:] > cdf[:, :-1]) | ~inside[:, 1:]
    last = np.take_along_axis(cdf, lengths[:, None].astype(np.int64) - 1, axis=1)
    if int(np.abs(offsets.astype(np.int64)).max()) > MAX_OFFSET:
        return f"_offset goes from {offsets.min()} to {offsets.max()}; up to {MAX_OFFSET} either way is allowed"
    if not rising.all() or cdf[:, 0].any() or (last != 1 << PRECISION).any():
        return f"_quantized_cdf has a row that does not rise from 0 to {1 << PRECISION}"
    return None


class CodingTables:
    """Checked tables, and what a coder derives from them; made once per model.

    Args:
        cdf: int32 (rows, width), cumulative counts out of 2^16; columns from a row's length on mean nothing.
        lengths: int32 (rows,), columns used by each row: its symbols, the escape and one.
        offsets: int32 (rows,), the value of each row's first symbol.

    Raises:
        StreamError: the arrays are no coding tables.
        TypeError: one is no int32 array.
    """

    def __init__(self, cdf: Int32, lengths: Int32, offsets: Int32) -> None:
        for array, name in ((cdf, "cdf"), (lengths, "lengths"), (offsets, "offsets")):
            if array.dtype != np.int32:
                raise TypeError(f"{name} of dtype {array.dtype}; int32 is needed")
        problem = table_problem(offsets, cdf, lengths, len(lengths)) or (None if lengths.size else "there are no rows")
        if problem:
            raise StreamError("E-stream", "coding tables", problem, "make them again: `update(force=True)`")
        inside = np.arange(cdf.shape[1])[None, :] < lengths[:, None]
        self.rows = len(lengths)
        self.digest = _digest(np.where(inside, cdf, 0), lengths, offsets)
        """SHA-256 of the tables: equal for equal intervals, whatever stands behind a row's end."""
        self.offsets = np.array(offsets)
        self.escapes = lengths.astype(np.int32) - 2
        """int32 (rows,): the symbol of each row that stands for values outside of it."""
        self.starts = np.cumsum(lengths, dtype=np.int64) - lengths
        """int64 (rows,): where each row starts in `entries`."""
        self.entries = _entries(cdf[inside].astype(np.int64), self.starts, self.escapes, offsets)
        """uint64: all rows' symbols, each `value << 32 | first count << 16 | counts`; an escape's value is ESCAPE."""
        self.lookup = _lookup(cdf, lengths, self.starts)
        """int32 (rows << LOOKUP_BITS,): the entry of the first count of each of a row's 2^LOOKUP_BITS equal parts."""


def _entries(
    cumulative: NDArray[np.int64], starts: NDArray[np.int64], escapes: Int32, offsets: Int32
) -> NDArray[np.uint64]:
    """Rows keep their last column, so that an entry has the place of its count; nothing is coded with it."""
    values = np.arange(len(cumulative)) - np.repeat(starts - offsets, escapes + 2)
    values[starts + escapes] = ESCAPE
    counts = np.maximum(np.diff(cumulative, append=0), 0)
    return (values << 32 | (cumulative & 0xFFFF) << PRECISION | counts).astype(np.uint64)


def _lookup(cdf: Int32, lengths: Int32, starts: NDArray[np.int64]) -> Int32:
    firsts = np.arange(1 << LOOKUP_BITS) << (PRECISION - LOOKUP_BITS)
    found = [np.searchsorted(row[:length], firsts, "right") - 1 for row, length in zip(cdf, lengths, strict=True)]
    return (np.array(found) + starts[:, None]).astype(np.int32).reshape(-1)


def _digest(cdf: Int32, lengths: Int32, offsets: Int32) -> bytes:
    digest = hashlib.sha256()
    for array in (lengths, offsets, cdf[:, : lengths.max()]):
        digest.update(np.ascontiguousarray(array, dtype="<i4").tobytes())
    return digest.digest()


def require_symbols(symbols: Int32, indexes: Int32) -> tuple[Int32, Int32]:
    """Both arrays, as compiled loops take them.

    Raises:
        TypeError: not two contiguous int32 arrays of one dimension and the same length.
    """
    symbols, indexes = require_integers(symbols, "symbols"), require_integers(indexes, "indexes")
    if len(symbols) != len(indexes):
        raise TypeError(f"{len(symbols)} symbols and {len(indexes)} indexes; as many are needed")
    return symbols, indexes


def require_rows(indexes: Int32, tables: CodingTables) -> Int32:
    """The indexes, as compiled loops take them.

    Raises:
        TypeError: not a contiguous int32 array of one dimension.
        ValueError: an index names no row of `tables`.
    """
    indexes = require_integers(indexes, "indexes")
    if len(indexes) and not 0 <= int(indexes.min()) <= int(indexes.max()) < tables.rows:
        raise ValueError(
            f"indexes from {indexes.min()} to {indexes.max()}; the tables have rows 0 to {tables.rows - 1}"
        )
    return indexes


def require_integers(array: Any, name: str) -> Int32:
    """The array; a copy if it cannot be written, for which numba would compile its loops a second time.

    Raises:
        TypeError: not a contiguous int32 array of one dimension, which loops would misread.
    """
    _require(array, name, np.int32)
    return array if array.flags.writeable else array.copy()


def require_floats(array: Any, name: str) -> NDArray[np.float32]:
    """The array; a copy if it cannot be written.

    Raises:
        TypeError: not a contiguous float32 array of one dimension.
    """
    _require(array, name, np.float32)
    return array if array.flags.writeable else array.copy()


def _require(array: Any, name: str, dtype: type) -> None:
    if not isinstance(array, np.ndarray) or array.dtype != dtype or array.ndim != 1:
        raise TypeError(f"{name}: a {dtype.__name__} array of one dimension is needed")
    if not array.flags.c_contiguous:
        raise TypeError(f"{name}: a contiguous array is needed")
