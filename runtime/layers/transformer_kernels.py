"""Swin's transformer block, a few windows at a time, so that all that lies between input and output stays in caches.

Addresses and distances are in bytes; all numbers are float32, those of a position beside each other; weights lie packed
(`packed_weights`).
"""

from __future__ import annotations

import numpy as np

from codecspec.runtime.entropy_coding.compiled import inlined, on_all_threads, part
from codecspec.runtime.layers.linear_kernels import GELU, NOTHING, linear, normalize
from codecspec.runtime.layers.packed_weights import PANEL
from codecspec.runtime.layers.product_kernels import product, tile_product
from codecspec.runtime.vector_kernels import (
    EIGHT,
    VECTOR_BYTES,
    Builder,
    Float,
    Integer,
    emitted,
    everywhere,
    field,
    float_at,
    larger,
    largest_of,
    load,
    minus,
    plus,
    power_of_two,
    put_field,
    put_float,
    record_of,
    store,
    sum_of,
    taken,
    times,
    transpose,
)

CHUNK = 48
"""Positions whose hidden channels are held at once, a multiple of all rows of tiles."""
PADDING = 64
"""Bytes behind each row, so that rows of 4 KB do not fall on each other in the nearest cache."""
ONE = np.float32(1)

_ADDRESSES = (
    "x out gain_1 offset_1 qkv qkv_bias bias masks proj proj_bias gain_2 offset_2 fc1 fc1_bias fc2 fc2_bias scratch"
)
_SIZES = "height width channels hidden heads window shift down across windows per_task scratch_size"
_PLACES = "rows_at qkv_at sums_at hidden_at keys_at scores_at shares_at places_at"
JOB = np.dtype(
    [(name, np.int64) for name in f"next_task next_thread {_ADDRESSES} {_SIZES} {_PLACES}".split()]
    + [("epsilon_1", np.float32), ("epsilon_2", np.float32)]
)
"""What `block` is told.

next_task, next_thread: counters from 0, the latter 8 bytes behind the former.
x, out: (N, height, width, channels).
gain_1 .. offset_2: of the layer norms; gain_1 is 0 where there are none.
qkv .. fc2_bias: of the linear layers; the rows of queries are scaled by log2(e) / sqrt(width of a head).
bias, masks: (heads, w^2, w^2), and (4, w^2, w^2): of windows that are neither last, last in a row, last in a column,
    both; both times log2(e). Masks are added where there is a shift.
hidden: channels inside the MLP; 0 where there is none.
down, across, windows: windows of a column, of a row, of all images; per_task of them are done at a time.
scratch: for each thread scratch_size bytes, and there the places ending in _at.
"""
_job_at = record_of(JOB)
_tile_of_eight = tile_product(8, 8)


@emitted
def _scale_eight(b: Builder, address: Integer, factor: Float) -> None:
    """Numbers that lie together times a factor."""
    scaled = times(b, load(b, address, kind=EIGHT), everywhere(b, factor, kind=EIGHT))
    store(b, scaled, address)


@part
def _sum(x, y, out, size):
    for i in range(0, size, VECTOR_BYTES):
        store(plus(load(x + i), load(y + i)), out + i)


@inlined
def _gather(job, base, first, count):
    """The positions of some windows, normalised, to rows; and where each lies, -1 for the padding, which is zeros."""
    size = job.channels * 4
    for window in range(first, first + count):
        image = window // (job.down * job.across)
        top = window // job.across % job.down * job.window + job.shift
        left = window % job.across * job.window + job.shift
        for token in range(job.window * job.window):
            y = (top + token // job.window) % (job.down * job.window)
            x = (left + token % job.window) % (job.across * job.window)
            number = (window - first) * job.window * job.window + token
            row = base + job.rows_at + number * (size + PADDING)
            place = -1
            if y < job.height and x < job.width:
                place = ((image * job.height + y) * job.width + x) * size
                if job.gain_1:
                    normalize(job.x + place, row, job.gain_1, job.offset_1, size, job.epsilon_1)
                else:
                    for i in range(0, size, VECTOR_BYTES):
                        store(load(job.x + place + i), row + i)
            else:
                for i in range(0, size, VECTOR_BYTES):
                    store(everywhere(0.0), row + i)
            put_field(place, base + job.places_at, number)


@inlined
def _powers(scores, tokens, shares):
    """Scores (tokens, tokens) to 2^(score - the row's largest); one over the sum of each row to `shares`."""
    size = tokens * 4
    for r in range(tokens):
        row = scores + r * size
        largest = load(row)
        for i in range(VECTOR_BYTES, size, VECTOR_BYTES):
            largest = larger(largest, load(row + i))
        top = everywhere(largest_of(largest))
        total = everywhere(0.0)
        for i in range(0, size, VECTOR_BYTES):
            power = power_of_two(minus(load(row + i), top))
            total = plus(total, power)
            store(power, row + i)
        put_float(ONE / sum_of(total), shares + 4 * r)


@inlined
def _attend_with_head(job, base, q, out, bias, mask):
    """One head's attention in one window: from its queries, behind which its keys and values lie, to `out`."""
    size, tokens, width = job.channels * 4, job.window * job.window, job.channels // job.heads
    qkv_row, out_row, row = 3 * size + PADDING, size + PADDING, tokens * 4
    k, v = q + size, q + 2 * size
    keys, scores = base + job.keys_at, base + job.scores_at
    for t in range(0, tokens, 8):
        for e in range(0, width, 8):
            transpose(k + t * qkv_row + e * 4, qkv_row, keys + (e * tokens + t) * 4, row)
    for t in range(0, tokens, PANEL):
        at = t * 4
        masked = mask + at if mask else 0
        product(q, qkv_row, keys + at, row, 0, bias + at, row, scores + at, row, tokens, width, masked, row, False)
    _powers(scores, tokens, base + job.shares_at)
    wide = width - width % PANEL
    for e in range(0, wide, PANEL):
        product(scores, row, v + e * 4, qkv_row, 0, 0, 0, out + e * 4, out_row, tokens, tokens, 0, 0, False)
    for e in range(wide, width, 8):
        for t in range(0, tokens, 8):
            made = out + t * out_row + e * 4
            _tile_of_eight(scores + t * row, row, v + e * 4, qkv_row, 0, 0, 0, made, out_row, tokens, 0, 0, False)
    for t in range(tokens):
        share = float_at(base + job.shares_at + 4 * t)
        for at in range(out + t * out_row, out + t * out_row + width * 4, 32):
            _scale_eight(at, share)


@inlined
def _attend(job, base, first, count):
    """The attention of some windows, from qkv to rows."""
    size, tokens = job.channels * 4, job.window * job.window
    square = tokens * tokens * 4
    for window in range(first, first + count):
        mask = 0
        if job.shift:
            in_last_row = window // job.across % job.down == job.down - 1
            in_last_column = window % job.across == job.across - 1
            kind = 2 * np.int64(in_last_row) + np.int64(in_last_column)
            mask = job.masks + kind * square if kind else 0
        start = (window - first) * tokens
        q = base + job.qkv_at + start * (3 * size + PADDING)
        out = base + job.rows_at + start * (size + PADDING)
        for head in range(job.heads):
            at = head * (size // job.heads)
            _attend_with_head(job, base, q + at, out + at, job.bias + head * square, mask)


@inlined
def _linear(a, a_row, weight, bias, out, out_row, rows, inputs, outputs, after):
    """`linear` with nothing added; of numbers that are written out numba would compile a variant of it for each."""
    none = np.int64(0)
    linear(a, a_row, weight, bias, out, out_row, rows, inputs, outputs, none, none, np.int64(after))


@inlined
def _mlp(job, base, rows):
    """The block's second half, from sums, which get the skip, to rows, which lack it."""
    size = job.channels * 4
    row, hidden_row = size + PADDING, job.hidden * 4 + PADDING
    hidden = base + job.hidden_at
    for r in range(rows):
        place = field(base + job.places_at, r)
        if place >= 0:
            made = base + job.sums_at + r * row
            _sum(made, job.x + place, made, size)
            normalize(made, base + job.rows_at + r * row, job.gain_2, job.offset_2, size, job.epsilon_2)
    for r in range(0, rows, CHUNK):
        some = min(CHUNK, rows - r)
        at = base + job.rows_at + r * row
        _linear(at, row, job.fc1, job.fc1_bias, hidden, hidden_row, some, job.channels, job.hidden, GELU)
        _linear(hidden, hidden_row, job.fc2, job.fc2_bias, at, row, some, job.hidden, job.channels, NOTHING)


@on_all_threads
def block(at):
    """A transformer block, or its first half, as `JOB` says."""
    job = _job_at(at)
    base = job.scratch + taken(at + 8) * job.scratch_size
    size = job.channels * 4
    row, qkv_row = size + PADDING, 3 * size + PADDING
    rows, qkv, sums = base + job.rows_at, base + job.qkv_at, base + job.sums_at
    while True:
        first = taken(at) * job.per_task
        if first >= job.windows:
            return
        count = min(job.per_task, job.windows - first)
        positions = count * job.window * job.window
        _gather(job, base, first, count)
        _linear(rows, row, job.qkv, job.qkv_bias, qkv, qkv_row, positions, job.channels, 3 * job.channels, NOTHING)
        _attend(job, base, first, count)
        _linear(rows, row, job.proj, job.proj_bias, sums, row, positions, job.channels, job.channels, NOTHING)
        if job.hidden:
            _mlp(job, base, positions)
        for r in range(positions):
            place = field(base + job.places_at, r)
            if place >= 0:
                skip = rows + r * row if job.hidden else job.x + place
                _sum(sums + r * row, skip, job.out + place, size)
