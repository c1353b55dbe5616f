"""Linear layers of positions whose channels lie beside each other, with what stands before and behind them.

Addresses and distances are in bytes; all numbers are float32. A weight lies packed: for every 16 outputs, for every
input, the 16 (`pack`), as tiles of the product read it. Each sum is taken from the bias on, input by input, whatever
the tile.
"""

from __future__ import annotations

import numpy as np

from codecspec.runtime.entropy_coding.compiled import on_all_threads, part
from codecspec.runtime.layers.lane_kernels import (
    BYTES,
    ROWS,
    add,
    filled,
    gelu,
    load,
    multiply,
    record_of,
    store,
    tile_1x16,
    tile_4x16,
    tile_most,
    transpose,
)
from codecspec.runtime.vector_kernels import taken

DEPTH = 384
"""So many inputs at a time: their weights for 16 outputs are 24 KB and stay in the nearest cache."""
POSITIONS = 96
"""A thread takes so many at a time, a multiple of ROWS: enough for weights to be read seldom."""
NOTHING, GELU = 0, 1
"""What stands before or behind a layer."""

PACK = np.dtype(
    [(name, np.int64) for name in ("next_task", "weight", "packed", "outputs", "inputs", "scaled")]
    + [("scale", np.float32)],
    align=True,
)
"""What `pack` is told: the addresses of a weight (outputs, inputs), both multiples of 16, and of what it becomes; and
that its first `scaled` outputs are to be `scale` times as large."""
_FIELDS = "next_task next_thread x out weight bias skip scratch scratch_size positions inputs outputs before after"
POINTWISE = np.dtype([(name, np.int64) for name in _FIELDS.split(" ")])
"""What `pointwise` is told.

next_task, next_thread: counters from 0, the latter 8 bytes behind the former.
x, out: the addresses of (positions, inputs) and (positions, outputs).
skip: of what is added, as large as out; or 0.
scratch: for each thread scratch_size bytes, POSITIONS * inputs float32, if something stands before.
before, after: NOTHING or GELU.
"""


_pointwise_at, _pack_at = record_of(POINTWISE), record_of(PACK)


@part
def columns(a, a_row, m, m_row, start, start_row, c, c_row, rows, depth):
    """c = start + a m for 16 columns."""
    most = rows - rows % ROWS
    fours = rows - rows % ROWS % 4
    for r in range(0, most, ROWS):
        tile_most(a + r * a_row, a_row, m, m_row, start + r * start_row, start_row, c + r * c_row, c_row, depth)
    for r in range(most, fours, 4):
        tile_4x16(a + r * a_row, a_row, m, m_row, start + r * start_row, start_row, c + r * c_row, c_row, depth)
    for r in range(fours, rows):
        tile_1x16(a + r * a_row, a_row, m, m_row, start + r * start_row, start_row, c + r * c_row, c_row, depth)


@part
def linear(a, a_row, weight, bias, out, out_row, rows, inputs, outputs, skip, skip_row, after):
    """out = after(a weight' + bias + skip), without skip where that is 0."""
    for first in range(0, inputs, DEPTH):
        depth = min(DEPTH, inputs - first)
        for column in range(0, outputs, 16):
            m = weight + (column * inputs + first * 16) * 4
            c = out + column * 4
            if first:
                columns(a + first * 4, a_row, m, 64, c, out_row, c, out_row, rows, depth)
            else:
                columns(a, a_row, m, 64, bias + column * 4, 0, c, out_row, rows, depth)
            if first + depth == inputs and (skip or after):
                for r in range(rows):
                    for at in range(0, 64, BYTES):
                        value = load(c + r * out_row + at)
                        if skip:
                            value = add(value, load(skip + r * skip_row + column * 4 + at))
                        if after:
                            value = gelu(value)
                        store(value, c + r * out_row + at)


@on_all_threads
def pointwise(at):
    """out = after(before(x) weight' + bias + skip), as `POINTWISE` says."""
    job = _pointwise_at(at)
    scratch = job.scratch + taken(at + 8) * job.scratch_size
    row, out_row = job.inputs * 4, job.outputs * 4
    while True:
        first = taken(at) * POSITIONS
        if first >= job.positions:
            return
        rows = min(POSITIONS, job.positions - first)
        x, out = job.x + first * row, job.out + first * out_row
        skip = job.skip + first * out_row if job.skip else 0
        if job.before:
            for i in range(0, rows * row, BYTES):
                store(gelu(load(x + i)), scratch + i)
            x = scratch
        linear(x, row, job.weight, job.bias, out, out_row, rows, job.inputs, job.outputs, skip, out_row, job.after)


@on_all_threads
def pack(at):
    """A weight as tiles of the product read it, as `PACK` says."""
    job = _pack_at(at)
    row = job.inputs * 4
    while True:
        output = taken(at) * 16
        if output >= job.outputs:
            return
        weight, packed = job.weight + output * row, job.packed + output * row
        for i in range(0, row, BYTES):
            transpose(weight + i, row, packed + i * 16, 64)
            transpose(weight + 8 * row + i, row, packed + i * 16 + 32, 64)
        if output < job.scaled:
            scale = filled(job.scale)
            for line in range(packed, packed + 16 * row, BYTES):
                store(multiply(load(line), scale), line)
