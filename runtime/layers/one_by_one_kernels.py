"""1x1 convolutions: products of positions and weights, with what follows them.

A matrix of weights (out, in) comes as panels (out / LANES, in, LANES); two of them are multiplied at a time. All of it
is float32, strides are in bytes. Every position is computed in one order of operations, whichever thread or tile it
falls into.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from codecspec.runtime.entropy_coding.compiled import on_all_threads, part
from codecspec.runtime.vector_kernels import (
    LANES,
    TILE_ROWS,
    VECTOR_BYTES,
    Builder,
    Value,
    emitted,
    everywhere,
    field,
    load,
    offset,
    plus,
    store,
    taken,
    tile_product,
    times,
)

CHUNK = 192
"""Positions that a thread takes at a time: what is read of them is in the second-level cache."""

# The arguments of `convolve`: maps to read, to write and to add each have an address and bytes from image to image, and
# positions of an image lie together.
NEXT_CHUNK, IMAGES, POSITIONS, CHANNELS, OUT_CHANNELS, PANELS, BIAS, RELU = range(8)
X, X_IMAGE, OUT, OUT_IMAGE, ADDED, ADDED_IMAGE = range(8, 14)


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


def _write_rectified(b: Builder, sums: Sequence[Value], out: Value, added: Value) -> None:
    zeros = everywhere(b, 0.0)
    # What is no number stays what it is.
    _write(b, [b.select(b.fcmp_unordered(">", vector, zeros), vector, zeros) for vector in sums], out, added)


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


product, product_and_relu = _product(_write), _product(_write_rectified)
product_and_sum, product_and_gate = _product(_write_sum), _product(_write_gated)


@on_all_threads
def convolve(at: int) -> None:
    """What one thread does of a convolution, until no positions are left; see `runtime/layers/one_by_one.py`."""
    positions, depth, out_row = field(at, POSITIONS), field(at, CHANNELS), 4 * field(at, OUT_CHANNELS)
    row, panel = 4 * depth, depth * VECTOR_BYTES
    chunks = -(-positions // CHUNK)
    while True:
        task = taken(at + 8 * NEXT_CHUNK)
        if task >= field(at, IMAGES) * chunks:
            break
        image, chunk = divmod(task, chunks)
        begin = chunk * CHUNK
        count = min(CHUNK, positions - begin)
        x = field(at, X) + image * field(at, X_IMAGE) + begin * row
        for p in range(0, field(at, OUT_CHANNELS) // LANES, 2):
            right, bias = field(at, PANELS) + p * panel, field(at, BIAS) + p * VECTOR_BYTES
            c = begin * out_row + p * VECTOR_BYTES
            out = field(at, OUT) + image * field(at, OUT_IMAGE) + c
            added = field(at, ADDED) + image * field(at, ADDED_IMAGE) + c
            if field(at, ADDED):
                product_and_sum(x, row, count, right, panel, bias, VECTOR_BYTES, depth, out, out_row, added)
            elif field(at, RELU):
                product_and_relu(x, row, count, right, panel, bias, VECTOR_BYTES, depth, out, out_row, out)
            else:
                product(x, row, count, right, panel, bias, VECTOR_BYTES, depth, out, out_row, out)
