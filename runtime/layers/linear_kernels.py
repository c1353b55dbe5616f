"""Linear layers of positions whose channels lie beside each other, with what stands before and behind them.

Addresses and distances are in bytes; all numbers are float32. Weights lie packed (`packed_weights`). Each sum is taken
from the bias on, input by input, whatever the tile.
"""

from __future__ import annotations

import math

import numpy as np

from codecspec.runtime.entropy_coding.compiled import on_all_threads, part
from codecspec.runtime.layers.packed_weights import PANEL
from codecspec.runtime.layers.product_kernels import LINE, WIDE, product, wide_product
from codecspec.runtime.vector_kernels import (
    LANES,
    VECTOR_BYTES,
    everywhere,
    gelu,
    load,
    minus,
    over,
    plus,
    record_of,
    square_root,
    store,
    sum_of,
    taken,
    times,
    transpose,
)

DEPTH = 384
"""So many inputs at a time: their weights for a panel are 24 KB and stay in the nearest cache."""
POSITIONS = 96
"""A thread takes so many at a time, a multiple of TILE_ROWS: enough for weights to be read seldom."""
NOTHING, GELU, RELU, SQUARE, OVER_ROOT, TIMES_ROOT = range(6)
"""What stands before a layer: nothing, a GELU or squares; and behind: nothing, a GELU, a ReLU, or another map over or
times the roots."""

PACK = np.dtype(
    [(name, np.int64) for name in ("next_task", "weight", "packed", "outputs", "inputs", "parts", "scaled")]
    + [("scale", np.float32)],
    align=True,
)
"""What `pack` is told: the addresses of a weight (outputs, inputs) and of what it becomes; of how many parts LANES
outputs of each come in turn; and that the first `scaled` outputs are to be `scale` times as large."""
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
def normalize(x, out, gain, offset, size, epsilon):
    """A layer norm of `size` bytes that lie together, without gain and offset where gain is 0."""
    share = np.float32(4) / np.float32(size)
    total = everywhere(0.0)
    for i in range(0, size, VECTOR_BYTES):
        total = plus(total, load(x + i))
    mean = everywhere(sum_of(total) * share)
    total = everywhere(0.0)
    for i in range(0, size, VECTOR_BYTES):
        apart = minus(load(x + i), mean)
        total = plus(times(apart, apart), total)
    scale = everywhere(np.float32(1) / np.float32(math.sqrt(sum_of(total) * share + epsilon)))
    for i in range(0, size, VECTOR_BYTES):
        value = times(minus(load(x + i), mean), scale)
        if gain:
            value = plus(times(value, load(gain + i)), load(offset + i))
        store(value, out + i)


@part
def _finish(c, c_row, other, other_row, rows, size, after):
    """What stands behind a layer and is more than tiles do, for columns of `size` bytes."""
    for r in range(rows):
        for k in range(0, size, VECTOR_BYTES):
            at = c + r * c_row + k
            value = load(at)
            if after == GELU:
                value = gelu(value)
            else:
                beside = load(other + r * other_row + k)
                value = over(beside, square_root(value)) if after == OVER_ROOT else times(beside, square_root(value))
            store(value, at)


@part
def linear(a, a_row, weight, bias, out, out_row, rows, inputs, outputs, other, other_row, after):
    """out = after(a weight' + bias + other), without other where that is 0."""
    roots, panel = after in (OVER_ROOT, TIMES_ROOT), inputs * LINE
    for first in range(0, inputs, DEPTH):
        depth = min(DEPTH, inputs - first)
        last = first + depth == inputs
        for column in range(0, outputs, WIDE):
            left, m = a + first * 4, weight + column * inputs * 4 + first * LINE
            c = out + column * 4
            start, start_row = (c, out_row) if first else (bias + column * 4, 0)
            beside = other + column * 4 if other and last else 0
            added, relu = 0 if roots else beside, last and after == RELU
            columns = min(WIDE, outputs - column)
            if WIDE == PANEL or columns == WIDE:
                wide_product(
                    left, a_row, m, LINE, panel, start, start_row, c, out_row, rows, depth, added, other_row, relu
                )
            else:
                product(left, a_row, m, LINE, 0, start, start_row, c, out_row, rows, depth, added, other_row, relu)
            if last and (roots or after == GELU):
                _finish(c, out_row, beside, other_row, rows, 4 * columns, after)


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
            for i in range(0, rows * out_row, VECTOR_BYTES):
                store(load(other + i), kept + i)
            other = kept
        if job.before:
            for i in range(0, rows * row, VECTOR_BYTES):
                value = load(x + i)
                store(gelu(value) if job.before == GELU else times(value, value), scratch + i)
            x = scratch
        linear(x, row, job.weight, job.bias, out, out_row, rows, job.inputs, job.outputs, other, out_row, job.after)


@on_all_threads
def pack(at):
    """A weight as tiles of the product read it, as `PACK` says."""
    job = _pack_at(at)
    row = job.inputs * 4
    while True:
        output = taken(at) * PANEL
        if output >= job.outputs:
            return
        packed = job.packed + output * row
        for eight in range(0, PANEL, 8):
            turn, rest = divmod(output + eight, job.parts * LANES)
            source = rest // LANES * (job.outputs // job.parts) + turn * LANES + rest % LANES
            for i in range(0, row, 32):
                transpose(job.weight + source * row + i, row, packed + i // 4 * LINE + 4 * eight, LINE)
        if output < job.scaled:
            scale = everywhere(job.scale)
            for line in range(packed, packed + PANEL * row, VECTOR_BYTES):
                store(times(load(line), scale), line)
