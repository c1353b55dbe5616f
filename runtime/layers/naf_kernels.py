"""The two halves of a NAF block over maps (N, H, W, C), each in one pass: what is in between stays in the caches.

    x ─► normalized ─► widened ─► depthwise ─► u * v ─► s                                        `gate_rows`
    s ─► projected + x ─► u ─► normalized ─► widened ─► u * v ─► narrowed + u ─► out             `finish`

What is widened comes in pairs: LANES channels of u, as many of v, and so on. Weights lie packed (`packed_weights`). All
of it is float32, strides are in bytes.
"""

from __future__ import annotations

import numpy as np

from codecspec.runtime.entropy_coding.compiled import on_all_threads, part
from codecspec.runtime.layers.linear_kernels import NOTHING, linear, normalize
from codecspec.runtime.layers.naf import EPS
from codecspec.runtime.layers.product_kernels import LINE, gated_product, wide_product
from codecspec.runtime.vector_kernels import (
    INT,
    LANES,
    VECTOR_BYTES,
    Builder,
    Integer,
    Kernel,
    emitted,
    everywhere,
    load,
    offset,
    plus,
    record_of,
    store,
    taken,
    times,
)

COLUMNS = 4
"""Positions that `convolve_and_gate` makes at a time: so many sums and what they read fit the registers."""
TAPS = 9
PAIR_BYTES = 2 * VECTOR_BYTES
"""Of a position's LANES channels of u and as many of v."""
EPSILON = np.float32(EPS)

_BOTH = "next_task next_thread scratch scratch_size images height width channels x s"
_FIRST = "tasks rows sums widen widen_bias depthwise depthwise_bias"
_SECOND = "chunk project project_bias inner inner_bias narrow narrow_bias"
JOB = np.dtype([(name, np.int64) for name in f"{_BOTH} {_FIRST} {_SECOND}".split()])
"""What both are told, then the first, then the second.

next_task, next_thread: counters from 0, the latter 8 bytes behind the former.
scratch: for each thread scratch_size bytes.
images .. channels: the maps' sizes.
x, s: the addresses of the maps; the second writes in place of s.
tasks, rows: bands of an image, and rows at a time.
sums: address of the sums of rows, (N, H, C).
depthwise: (C / LANES, 9, 2 * LANES), in pairs; widen and inner are packed so, their biases are not.
chunk: positions at a time.
project: one weight for each image.
"""
_job_at = record_of(JOB)


@part
def normalize_all(x, out, count, size):
    """`count` positions of `size` bytes that lie together: less their mean, by their standard deviation."""
    for i in range(0, count * size, size):
        normalize(x + i, out + i, 0, 0, size, EPSILON)


def _depthwise_tile(columns: int) -> Kernel:
    @emitted
    def convolve_and_gate(
        b: Builder, above: Integer, at: Integer, below: Integer, taps: Integer, bias: Integer, out: Integer,
        position: Integer, total: Integer,
    ) -> None:  # fmt: skip
        halves = []
        for half in range(2):
            sums = [load(b, offset(b, bias, position, half))] * columns
            for i, row in enumerate((above, at, below)):
                seen = [load(b, b.add(row, INT(PAIR_BYTES * c + VECTOR_BYTES * half))) for c in range(columns + 2)]
                for j in range(3):
                    tap = load(b, b.add(taps, INT(PAIR_BYTES * (3 * i + j) + VECTOR_BYTES * half)))
                    sums = [plus(b, times(b, tap, seen[c + j]), sums[c]) for c in range(columns)]
            halves.append(sums)
        whole = load(b, total)
        for c, (u, v) in enumerate(zip(*halves, strict=True)):
            gated = times(b, u, v)
            whole = b.fadd(gated, whole)
            store(b, gated, offset(b, out, position, c))
        store(b, whole, total)

    return convolve_and_gate


convolve_and_gate, convolve_and_gate_one = _depthwise_tile(COLUMNS), _depthwise_tile(1)
"""COLUMNS positions, or one, of a depthwise 3x3 convolution and the gate behind it, for LANES channels.

Args:
    above, at, below: addresses, in three rows of pairs, of the position before the first one.
    taps: (9, 2 * LANES).
    bias: of u's channels; those of v's are `position` bytes behind.
    out, position: address of the first, and bytes to the next.
    total: address of LANES sums, to which what comes out is added.
"""


@part
def convolve_row(above, at, below, taps, bias, width, size, out, total):
    """A row of a depthwise convolution and its gate, for LANES channels; the rows begin a position before it."""
    store(everywhere(0.0), total)
    whole = width - width % COLUMNS
    for x in range(0, whole, COLUMNS):
        k = x * PAIR_BYTES
        convolve_and_gate(above + k, at + k, below + k, taps, bias, out + x * size, size, total)
    for x in range(whole, width):
        k = x * PAIR_BYTES
        convolve_and_gate_one(above + k, at + k, below + k, taps, bias, out + x * size, size, total)


@part
def gate_band(job, image, first, last, normalized, bias, ring, slot, zeros):
    """The rows [first, last) of an image's s.

    `ring` has for each LANES channels the last rows of what the depthwise convolution sees, each in a slot, behind and
    before a column of zeros; so each row is made once, but those at the edges of the band.
    """
    height, width, channels, rows = job.height, job.width, job.channels, job.rows
    size = 4 * channels
    row_bytes, slots = width * size, rows + 2
    x, s = job.x + image * height * row_bytes, job.s + image * height * row_bytes
    sums = job.sums + image * height * size
    made, end, begin = max(first - 1, 0), min(last + 1, height), first
    while begin < last:
        until = min(made + rows, end)
        stop = last if until == end else max(begin, until - 1)
        normalize_all(x + made * row_bytes, normalized, (until - made) * width, size)
        for p in range(channels // LANES):
            own, c, both = ring + p * slots * slot, p * VECTOR_BYTES, p * PAIR_BYTES
            for y in range(made, until):
                wide_product(
                    normalized + (y - made) * row_bytes, size, job.widen + channels * both, LINE, channels * LINE,
                    bias + both, 0, own + y % slots * slot + PAIR_BYTES, PAIR_BYTES, width, channels,
                    0, 0, False,
                )  # fmt: skip
            for y in range(begin, stop):
                convolve_row(
                    own + (y - 1) % slots * slot if y else zeros,
                    own + y % slots * slot,
                    own + (y + 1) % slots * slot if y + 1 < height else zeros,
                    job.depthwise + TAPS * both, job.depthwise_bias + c, width, size, s + y * row_bytes + c,
                    sums + y * size + c,
                )  # fmt: skip
        made, begin = until, stop


@part
def clear(begin, end):
    """Zeros from an address to another, a whole number of vectors."""
    for k in range(begin, end, VECTOR_BYTES):
        store(everywhere(0.0), k)


@part
def pair(bias, out, size):
    """A bias of u's channels, `size` bytes, then v's, to pairs of vectors."""
    for k in range(0, size, VECTOR_BYTES):
        store(load(bias + k), out + 2 * k)
        store(load(bias + size + k), out + 2 * k + VECTOR_BYTES)


@on_all_threads
def gate_rows(at):
    """What one thread does of the first half, until no band is left; see `runtime/layers/naf_halves.py`."""
    job = _job_at(at)
    height, width, channels, rows, tasks = job.height, job.width, job.channels, job.rows, job.tasks
    normalized = job.scratch + taken(at + 8) * job.scratch_size
    ring = normalized + 4 * rows * width * channels
    slot = (width + 2) * PAIR_BYTES
    zeros = ring + channels // LANES * (rows + 2) * slot
    clear(zeros, zeros + slot)
    for k in range(ring, zeros, slot):
        clear(k, k + PAIR_BYTES)
        clear(k + slot - PAIR_BYTES, k + slot)
    bias = zeros + slot
    pair(job.widen_bias, bias, 4 * channels)
    while True:
        task = taken(at)
        if task >= job.images * tasks:
            break
        image, band = divmod(task, tasks)
        gate_band(job, image, band * height // tasks, (band + 1) * height // tasks, normalized, bias, ring, slot, zeros)


@on_all_threads
def finish(at):
    """What one thread does of the second half, in place of s, until no chunk of positions is left."""
    job = _job_at(at)
    channels, chunk = job.channels, job.chunk
    size = 4 * channels
    u = job.scratch + taken(at + 8) * job.scratch_size
    normalized = u + chunk * size
    gated = normalized + chunk * size
    bias = gated + chunk * size
    pair(job.inner_bias, bias, size)
    positions = job.height * job.width
    chunks = -(-positions // chunk)
    while True:
        task = taken(at)
        if task >= job.images * chunks:
            break
        image, k = divmod(task, chunks)
        count = min(chunk, positions - k * chunk)
        begin = (image * positions + k * chunk) * size
        x, s, project = job.x + begin, job.s + begin, job.project + image * channels * size
        linear(s, size, project, job.project_bias, u, size, count, channels, channels, x, size, NOTHING)
        normalize_all(u, normalized, count, size)
        for p in range(channels // LANES):
            both = p * PAIR_BYTES
            gated_product(
                normalized, size, job.inner + channels * both, LINE, channels * LINE, bias + both, 0,
                gated + p * VECTOR_BYTES, size, count, channels, 0, 0, False,
            )  # fmt: skip
        linear(gated, size, job.narrow, job.narrow_bias, s, size, count, channels, channels, u, size, NOTHING)
