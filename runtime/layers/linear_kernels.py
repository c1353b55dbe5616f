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
NOTHING, GELU, RELU, SQUARE, OVER_ROOT, TIMES_ROOT = range(6)
"""What stands before a layer: nothing, a GELU or squares; and behind: nothing, a GELU, a ReLU, or another map over or
times the roots."""

PACK = np.dtype(
    [(name, np.int64) for name in ("next_task", "weight", "packed", "outputs", "inputs", "scaled")]
    + [("scale", np.float32)],
    align=True,
)
"""What `pack` is told: the addresses of a weight (outputs, inputs), both multiples of 16, and of what it becomes; and
that its first `scaled` outputs are to be `scale` times as large."""
_MAPS = "x out other x_image out_image other_image"
_FIELDS = f"next_task next_thread {_MAPS} weight bias scratch scratch_size images positions inputs outputs before after"
POINTWISE = np.dtype([(name, np.int64) for name in _FIELDS.split(" ")])
"""What `pointwise` is told.

next_task, next_thread: counters from 0, the latter 8 bytes behind the former.
x, out: the addresses of (images, positions, inputs) and (images, positions, outputs).
other: of what is added, or stands over or beside the roots, as large as out, or out itself; or 0.
x_image, out_image, other_image: bytes from one image to the next.
scratch: for each thread scratch_size bytes, (inputs + outputs) float32 for each of POSITIONS.
before, after: NOTHING, GELU or what else there is.
"""


_pointwise_at, _pack_at = record_of(POINTWISE), record_of(PACK)


@part
def columns(a, a_row, m, m_row, start, start_row, c, c_row, rows, depth, other, other_row, relu):
    """c = start + a m + other for 16 columns, as `tile_most` says."""
    r = 0
    while r < rows:
        left, first, made = a + r * a_row, start + r * start_row, c + r * c_row
        beside = other + r * other_row if other else 0
        if r + ROWS <= rows:
            tile_most(left, a_row, m, m_row, first, start_row, made, c_row, depth, beside, other_row, relu)
            r += ROWS
        elif r + 4 <= rows:
            tile_4x16(left, a_row, m, m_row, first, start_row, made, c_row, depth, beside, other_row, relu)
            r += 4
        else:
            tile_1x16(left, a_row, m, m_row, first, start_row, made, c_row, depth, beside, other_row, relu)
            r += 1


@part
def _finish(c, c_row, other, other_row, rows, after):
    """What stands behind a layer and is more than tiles do, for 16 columns."""
    for r in range(rows):
        for k in range(0, 64, BYTES):
            at = c + r * c_row + k
            value = load(at)
            if after == GELU:
                value = gelu(value)
            else:
                beside = load(other + r * other_row + k)
                value = divide(beside, root(value)) if after == OVER_ROOT else multiply(beside, root(value))
            store(value, at)


@part
def linear(a, a_row, weight, bias, out, out_row, rows, inputs, outputs, other, other_row, after):
    """out = after(a weight' + bias + other), without other where that is 0."""
    roots = after in (OVER_ROOT, TIMES_ROOT)
    for first in range(0, inputs, DEPTH):
        depth = min(DEPTH, inputs - first)
        last = first + depth == inputs
        for column in range(0, outputs, 16):
            m = weight + (column * inputs + first * 16) * 4
            c = out + column * 4
            start, start_row = (c, out_row) if first else (bias + column * 4, 0)
            beside = other + column * 4 if other and last else 0
            added, relu = 0 if roots else beside, last and after == RELU
            columns(a + first * 4, a_row, m, 64, start, start_row, c, out_row, rows, depth, added, other_row, relu)
            if last and (roots or after == GELU):
                _finish(c, out_row, beside, other_row, rows, after)


@on_all_threads
def pointwise(at):
    """out = after(before(x) weight' + bias + other), as `POINTWISE` says."""
    job = _pointwise_at(at)
    scratch = job.scratch + taken(at + 8) * job.scratch_size
    row, out_row = job.inputs * 4, job.outputs * 4
    kept = scratch + POSITIONS * row
    chunks = -(-job.positions // POSITIONS)
    while True:
        task = taken(at)
        if task >= job.images * chunks:
            return
        image, first = task // chunks, task % chunks * POSITIONS
        rows = min(POSITIONS, job.positions - first)
        x, out = job.x + image * job.x_image + first * row, job.out + image * job.out_image + first * out_row
        other = job.other + image * job.other_image + first * out_row if job.other else 0
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
