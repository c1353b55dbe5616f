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
    divide,
    filled,
    gelu,
    load,
    multiply,
    record_of,
    root,
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
NOTHING, GELU, SQUARE, OVER_ROOT, TIMES_ROOT = range(5)
"""What stands before a layer: nothing, a GELU or squares; and behind: nothing, a GELU, or another map over or times the
roots."""

PACK = np.dtype(
    [(name, np.int64) for name in ("next_task", "weight", "packed", "outputs", "inputs", "scaled")]
    + [("scale", np.float32)],
    align=True,
)
"""What `pack` is told: the addresses of a weight (outputs, inputs), both multiples of 16, and of what it becomes; and
that its first `scaled` outputs are to be `scale` times as large."""
_FIELDS = "next_task next_thread x out weight bias other scratch scratch_size positions inputs outputs before after"
POINTWISE = np.dtype([(name, np.int64) for name in _FIELDS.split(" ")])
"""What `pointwise` is told.

next_task, next_thread: counters from 0, the latter 8 bytes behind the former.
x, out: the addresses of (positions, inputs) and (positions, outputs).
other: of what is added, or stands over or beside the roots, as large as out, or out itself; or 0.
scratch: for each thread scratch_size bytes, (inputs + outputs) float32 for each of POSITIONS.
before, after: NOTHING, GELU or what else there is.
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
def _finish(at, other, after):
    """What stands behind a layer, for the vector at an address."""
    value = load(at)
    if after == OVER_ROOT:
        value = divide(load(other), root(value))
    elif after == TIMES_ROOT:
        value = multiply(load(other), root(value))
    else:
        if other:
            value = add(value, load(other))
        if after == GELU:
            value = gelu(value)
    store(value, at)


@part
def linear(a, a_row, weight, bias, out, out_row, rows, inputs, outputs, other, other_row, after):
    """out = after(a weight' + bias + other), without other where that is 0."""
    for first in range(0, inputs, DEPTH):
        depth = min(DEPTH, inputs - first)
        for column in range(0, outputs, 16):
            m = weight + (column * inputs + first * 16) * 4
            c = out + column * 4
            if first:
                columns(a + first * 4, a_row, m, 64, c, out_row, c, out_row, rows, depth)
            else:
                columns(a, a_row, m, 64, bias + column * 4, 0, c, out_row, rows, depth)
            if first + depth == inputs and (other or after):
                beside = other + column * 4 if other else 0
                for r in range(rows):
                    for at in range(c + r * out_row, c + r * out_row + 64, BYTES):
                        _finish(at, beside + at - c + r * (other_row - out_row) if beside else 0, after)


@on_all_threads
def pointwise(at):
    """out = after(before(x) weight' + bias + other), as `POINTWISE` says."""
    job = _pointwise_at(at)
    scratch = job.scratch + taken(at + 8) * job.scratch_size
    row, out_row = job.inputs * 4, job.outputs * 4
    kept = scratch + POSITIONS * row
    while True:
        first = taken(at) * POSITIONS
        if first >= job.positions:
            return
        rows = min(POSITIONS, job.positions - first)
        x, out = job.x + first * row, job.out + first * out_row
        other = job.other + first * out_row if job.other else 0
        if job.other == job.out:  # which is overwritten before it is read
            for i in range(0, rows * out_row, BYTES):
                store(load(other + i), kept + i)
            other = kept
        if job.before:
            for i in range(0, rows * row, BYTES):
                value = load(x + i)
                store(gelu(value) if job.before == GELU else multiply(value, value), scratch + i)
            x = scratch
        linear(x, row, job.weight, job.bias, out, out_row, rows, job.inputs, job.outputs, other, out_row, job.after)


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
