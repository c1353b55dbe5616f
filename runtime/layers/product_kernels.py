"""Matrix products in registers, tile by tile, with what is added to them before they leave.

All of it is float32; strides are in bytes. Each sum is taken from its begin on, column by column of the left matrix,
whatever the tile, so a row is the same whichever thread or tile it falls into.
"""

from __future__ import annotations

from collections.abc import Sequence

from llvmlite import ir
from numba.core import cgutils

from codecspec.runtime.entropy_coding.compiled import part
from codecspec.runtime.layers.packed_weights import PANEL
from codecspec.runtime.vector_kernels import (
    FLOAT,
    INT,
    LANES,
    Builder,
    Integer,
    Kernel,
    Vector,
    emitted,
    everywhere,
    float_at,
    larger,
    load,
    offset,
    plus,
    store,
    times,
)

TILE_ROWS = 12 if LANES == 16 else 6
"""Rows of the largest tile: with two vectors a row they are as many as there are registers for."""
WIDE = 2 * LANES
"""Columns of the largest tile."""
LINE = 4 * PANEL
"""Bytes of a row of a panel."""


def tile_product(rows: int, columns: int, *, gated: bool = False) -> Kernel:
    """What kernels call for a product of `rows` rows and `columns` columns, all of it in registers.

    With `gated`, of each row the first half of the columns times the second is written.
    """
    kind = ir.VectorType(FLOAT, min(columns, LANES))
    firsts = range(0, columns, kind.count)

    def loaded(b: Builder, row: Integer) -> list[Vector]:
        return [load(b, b.add(row, INT(4 * first)), kind=kind) for first in firsts]

    def put(b: Builder, vectors: Sequence[Vector], row: Integer) -> None:
        for first, vector in zip(firsts, vectors, strict=False):
            store(b, vector, b.add(row, INT(4 * first)))

    @emitted
    def product(
        b: Builder, left: Integer, left_row: Integer, right: Integer, right_row: Integer, panel: Integer,
        begin: Integer, begin_row: Integer, out: Integer, out_row: Integer, depth: Integer, added: Integer,
        added_row: Integer, relu: Integer,
    ) -> None:  # fmt: skip
        """out = begin + left right + added, as `product` says."""
        sums = [[cgutils.alloca_once(b, kind) for _ in firsts] for _ in range(rows)]

        def change(r: int, vectors: Sequence[Vector]) -> None:
            for own, vector in zip(sums[r], vectors, strict=True):
                b.store(vector, own)

        with b.if_else(b.icmp_signed("!=", begin, INT(0))) as (given, zeros):
            with given:
                for r in range(rows):
                    change(r, loaded(b, offset(b, begin, begin_row, r)))
            with zeros:
                for r in range(rows):
                    change(r, [everywhere(b, 0.0, kind=kind)] * len(firsts))
        lines = [offset(b, left, left_row, r) for r in range(rows)]
        with cgutils.for_range(b, depth) as loop:
            at = b.add(right, b.mul(loop.index, right_row))
            places = [b.add(offset(b, at, panel, first // PANEL), INT(first % PANEL * 4)) for first in firsts]
            rights = [load(b, place, kind=kind) for place in places]
            factors = [float_at(b, b.add(line, b.mul(loop.index, INT(4)))) for line in lines]
            for r, factor in enumerate(factors):
                scaled = [times(b, everywhere(b, factor, kind=kind), vector) for vector in rights]
                change(r, [plus(b, one, b.load(own)) for one, own in zip(scaled, sums[r], strict=True)])
        with b.if_then(b.icmp_signed("!=", added, INT(0))):
            for r in range(rows):
                terms = loaded(b, offset(b, added, added_row, r))
                change(r, [plus(b, b.load(own), term) for own, term in zip(sums[r], terms, strict=True)])
        with b.if_then(b.icmp_signed("!=", relu, INT(0))):
            for r in range(rows):
                change(r, [larger(b, everywhere(b, 0.0, kind=kind), b.load(own)) for own in sums[r]])
        for r in range(rows):
            made = [b.load(own) for own in sums[r]]
            put(b, [times(b, *made)] if gated else made, offset(b, out, out_row, r))

    return product


def _product(columns: int, *, gated: bool = False) -> Kernel:
    """What kernels call for a product of so many columns and any number of rows."""
    tall, four, one = (tile_product(rows, columns, gated=gated) for rows in (TILE_ROWS, 4, 1))

    @part
    def product(
        left, left_row, right, right_row, panel, begin, begin_row, out, out_row, rows, depth, added, added_row, relu
    ):
        r = 0
        while r < rows:
            if 4 != rows - r < TILE_ROWS <= rows and begin != out:
                r = rows - TILE_ROWS  # some rows once more
            at, first, to = left + r * left_row, begin + r * begin_row, out + r * out_row
            more = added + r * added_row if added else 0
            if r + TILE_ROWS <= rows:
                tall(at, left_row, right, right_row, panel, first, begin_row, to, out_row, depth, more, added_row, relu)
                r += TILE_ROWS
            elif r + 4 <= rows:
                four(at, left_row, right, right_row, panel, first, begin_row, to, out_row, depth, more, added_row, relu)
                r += 4
            else:
                one(at, left_row, right, right_row, panel, first, begin_row, to, out_row, depth, more, added_row, relu)
                r += 1

    return product


product = _product(PANEL)
"""out (rows, PANEL) = begin + left (rows, depth) @ right (depth, PANEL) + added.

Args:
    left, left_row: address, and bytes from row to row, as of all that follow.
    right, right_row: see above.
    panel: bytes from there to the next PANEL columns, for products that have them.
    begin, begin_row: or 0 and 0, zeros.
    out, out_row: may be those of `begin`; else apart from all that is read.
    rows, depth: see above.
    added, added_row: or 0 and 0, nothing.
    relu: whether what is below 0 becomes 0; what is no number stays what it is.
"""
wide_product = product if WIDE == PANEL else _product(WIDE)
"""The same for WIDE columns."""
gated_product = _product(WIDE, gated=True)
"""The same for WIDE columns, of which the first half times the second is written."""
