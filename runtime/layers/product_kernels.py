"""Products of positions and weights, and what is done to them before they leave the registers.

A matrix of weights (out, in) comes as panels (out / LANES, in, LANES); two of them are multiplied at a time. All of it
is float32, strides are in bytes. Every position is computed in one order of operations, whichever thread or tile it
falls into.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from codecspec.runtime.entropy_coding.compiled import part
from codecspec.runtime.vector_kernels import (
    TILE_ROWS,
    VECTOR_BYTES,
    Builder,
    Value,
    emitted,
    load,
    offset,
    plus,
    store,
    tile_product,
    times,
)


def _tile(rows: int, write: Callable[..., None]) -> Any:
    """A tile of a product of `rows` rows and two vectors of columns, which `write` takes, row by row.

    Its arguments: address and row of the left matrix, the right panel and bytes to the other one, likewise the bias,
    the depth, address and row of the output, and of maps to add, whose row is that of the output.
    """

    @emitted()
    def tile(
        b: Builder, left: Value, left_row: Value, right: Value, panel: Value, bias: Value, bias_step: Value,
        depth: Value, out: Value, out_row: Value, added: Value,
    ) -> None:  # fmt: skip
        biases = [load(b, offset(b, bias, bias_step, v)) for v in range(2)]
        sums = tile_product(b, [biases] * rows, left, left_row, right, panel, depth)
        for r, own in enumerate(sums):
            write(b, own, offset(b, out, out_row, r), offset(b, added, out_row, r))

    return tile


def _write(b: Builder, sums: Sequence[Value], out: Value, _: Value) -> None:
    for v, vector in enumerate(sums):
        store(b, vector, b.add(out, out.type(VECTOR_BYTES * v)))


def _write_sum(b: Builder, sums: Sequence[Value], out: Value, added: Value) -> None:
    terms = [load(b, b.add(added, added.type(VECTOR_BYTES * v))) for v in range(len(sums))]
    _write(b, [plus(b, *pair) for pair in zip(sums, terms, strict=True)], out, added)


def _write_gated(b: Builder, sums: Sequence[Value], out: Value, _: Value) -> None:
    store(b, times(b, *sums), out)


def _product(write: Callable[..., None]) -> Any:
    """A product of `count` rows; its other arguments are those of `_tile`. Tiles may overlap: they write the same."""
    tall, flat = _tile(TILE_ROWS, write), _tile(1, write)

    @part
    def product(
        left: int, left_row: int, count: int, right: int, panel: int, bias: int, bias_step: int, depth: int, out: int,
        out_row: int, added: int,
    ) -> None:  # fmt: skip
        for row in range(0, count, TILE_ROWS):
            if count < TILE_ROWS:
                for r in range(count):
                    flat(
                        left + r * left_row, left_row, right, panel, bias, bias_step, depth, out + r * out_row,
                        out_row, added + r * out_row,
                    )  # fmt: skip
            else:
                r = min(row, count - TILE_ROWS)
                tall(
                    left + r * left_row, left_row, right, panel, bias, bias_step, depth, out + r * out_row, out_row,
                    added + r * out_row,
                )  # fmt: skip

    return product


product, product_and_sum, product_and_gate = _product(_write), _product(_write_sum), _product(_write_gated)
