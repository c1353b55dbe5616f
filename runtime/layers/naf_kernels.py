"""The two halves of a NAF block over maps (N, H, W, C), each in one pass: what is in between stays in the caches.

    x ─► normalized ─► widened ─► depthwise ─► u * v ─► s                                        `gate_rows`
    s ─► projected + x ─► u ─► normalized ─► widened ─► u * v ─► narrowed + u ─► out             `finish`

Matrices of weights come as panels. All of it is float32, strides are in bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba.core import cgutils

from codecspec.runtime.entropy_coding.compiled import on_all_threads, part
from codecspec.runtime.layers.naf import EPS
from codecspec.runtime.layers.product_kernels import product, product_and_gate, product_and_sum
from codecspec.runtime.vector_kernels import (
    LANES,
    VECTOR_BYTES,
    Builder,
    Value,
    clear_vector,
    emitted,
    everywhere,
    field,
    lane_sum,
    load,
    minus,
    offset,
    plus,
    register,
    square_root,
    store,
    taken,
    times,
)

COLUMNS = 4
"""Positions that `convolve_and_gate` makes at a time: so many sums and what they read fit the registers."""
TAPS = 9
PAIR_BYTES = 2 * VECTOR_BYTES
"""Of a position's LANES channels of u and as many of v."""

# The arguments of both entries.
NEXT_TASK, NEXT_THREAD, SCRATCH, SCRATCH_BYTES, IMAGES, HEIGHT, WIDTH, CHANNELS, X, S = range(10)
# Those of `gate_rows` behind them: tasks of an image, rows at a time, sums of rows (N, H, C), weights and biases.
TASKS, ROWS, SUMS, WIDEN, WIDEN_BIAS, DEPTHWISE, DEPTHWISE_BIAS = range(10, 17)
# Those of `finish` behind them: positions at a time, weights and biases; PROJECT has one matrix for each image.
CHUNK, PROJECT, PROJECT_BIAS, INNER, INNER_BIAS, NARROW, NARROW_BIAS = range(10, 17)


@emitted(floats=["share"])
def normalize(b: Builder, source: Value, target: Value, pairs: Value, share: Value) -> None:
    """A position's channels, pairs of vectors -> less their mean, by their standard deviation; `share` is 1 / C."""

    def mean(term: Callable[[Value], Value]) -> Value:
        places = [register(b) for _ in range(2)]
        for place in places:
            b.store(everywhere(b, 0.0), place)
        with cgutils.for_range(b, pairs) as loop:
            at = b.add(source, b.mul(loop.index, source.type(PAIR_BYTES)))
            for v, place in enumerate(places):
                vector = load(b, b.add(at, at.type(VECTOR_BYTES * v)))
                b.store(plus(b, term(vector), b.load(place)), place)
        return times(b, lane_sum(b, plus(b, *(b.load(place) for place in places))), everywhere(b, share))

    def square(vector: Value) -> Value:
        distance = minus(b, vector, middle)
        return times(b, distance, distance)

    middle = mean(lambda vector: vector)
    spread = square_root(b, plus(b, mean(square), everywhere(b, EPS)))
    scale = b.fdiv(everywhere(b, 1.0), spread)
    with cgutils.for_range(b, pairs) as loop:
        at = b.mul(loop.index, source.type(PAIR_BYTES))
        for v in range(2):
            place = b.add(at, at.type(VECTOR_BYTES * v))
            store(b, times(b, minus(b, load(b, b.add(source, place)), middle), scale), b.add(target, place))


@part
def normalize_all(source: int, target: int, count: int, channels: int) -> None:
    """`count` positions that lie together."""
    for k in range(0, 4 * channels * count, 4 * channels):
        normalize(source + k, target + k, channels // (2 * LANES), 1.0 / channels)


def _depthwise_tile(columns: int) -> Any:
    @emitted()
    def convolve_and_gate(
        b: Builder, above: Value, at: Value, below: Value, taps: Value, bias: Value, other: Value, out: Value,
        position: Value, total: Value,
    ) -> None:  # fmt: skip
        halves = []
        for half in range(2):
            own_taps = offset(b, taps, b.mul(other, other.type(TAPS)), half)
            sums = [load(b, offset(b, bias, other, half))] * columns
            for i, row in enumerate((above, at, below)):
                seen = [load(b, b.add(row, row.type(VECTOR_BYTES * (2 * c + half)))) for c in range(columns + 2)]
                for j in range(3):
                    tap = load(b, b.add(own_taps, own_taps.type(VECTOR_BYTES * (3 * i + j))))
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
    taps, bias: of u's channels, (9, LANES) and (LANES).
    other: bytes from u's bias to v's; their taps are 9 times as far.
    out, position: address of the first, and bytes to the next.
    total: address of LANES sums, to which what comes out is added.
"""


@part
def convolve_row(
    above: int, at: int, below: int, taps: int, bias: int, width: int, channels: int, out: int, total: int
) -> None:
    """A row of a depthwise convolution and its gate, for LANES channels; the rows begin a position before it."""
    clear_vector(total)
    size = 4 * channels
    whole = width - width % COLUMNS
    for x in range(0, whole, COLUMNS):
        k = x * PAIR_BYTES
        convolve_and_gate(above + k, at + k, below + k, taps, bias, size, out + x * size, size, total)
    for x in range(whole, width):
        k = x * PAIR_BYTES
        convolve_and_gate_one(above + k, at + k, below + k, taps, bias, size, out + x * size, size, total)


@part
def gate_band(at: int, image: int, first: int, last: int, normalized: int, ring: int, slot: int, zeros: int) -> None:
    """The rows [first, last) of an image's s.

    `ring` has for each LANES channels the last rows of what the depthwise convolution sees, each in a slot, behind and
    before a column of zeros; so each row is made once, but those at the edges of the band.
    """
    height, width, channels, rows = field(at, HEIGHT), field(at, WIDTH), field(at, CHANNELS), field(at, ROWS)
    size = 4 * channels
    row_bytes, panel, slots = width * size, channels * VECTOR_BYTES, rows + 2
    x = field(at, X) + image * height * row_bytes
    s = field(at, S) + image * height * row_bytes
    sums = field(at, SUMS) + image * height * size
    made, end, begin = max(first - 1, 0), min(last + 1, height), first
    while begin < last:
        until = min(made + rows, end)
        stop = last if until == end else max(begin, until - 1)
        normalize_all(x + made * row_bytes, normalized, (until - made) * width, channels)
        for p in range(channels // LANES):
            own = ring + p * slots * slot
            for y in range(made, until):
                product(
                    normalized + (y - made) * row_bytes, size, width, field(at, WIDEN) + p * panel,
                    channels // LANES * panel, field(at, WIDEN_BIAS) + p * VECTOR_BYTES, size, channels,
                    own + y % slots * slot + PAIR_BYTES, PAIR_BYTES, 0,
                )  # fmt: skip
            for y in range(begin, stop):
                convolve_row(
                    own + (y - 1) % slots * slot if y else zeros,
                    own + y % slots * slot,
                    own + (y + 1) % slots * slot if y + 1 < height else zeros,
                    field(at, DEPTHWISE) + p * TAPS * VECTOR_BYTES, field(at, DEPTHWISE_BIAS) + p * VECTOR_BYTES,
                    width, channels, s + y * row_bytes + p * VECTOR_BYTES, sums + y * size + p * VECTOR_BYTES,
                )  # fmt: skip
        made, begin = until, stop


@part
def clear(begin: int, end: int) -> None:
    """Zeros from an address to another, a whole number of vectors."""
    for k in range(begin, end, VECTOR_BYTES):
        clear_vector(k)


@on_all_threads
def gate_rows(at: int) -> None:
    """What one thread does of the first half, until no band is left; see `runtime/layers/naf_halves.py`."""
    height, width, channels, rows = field(at, HEIGHT), field(at, WIDTH), field(at, CHANNELS), field(at, ROWS)
    normalized = field(at, SCRATCH) + taken(at + 8 * NEXT_THREAD) * field(at, SCRATCH_BYTES)
    ring = normalized + 4 * rows * width * channels
    slot = (width + 2) * PAIR_BYTES
    zeros = ring + channels // LANES * (rows + 2) * slot
    clear(zeros, zeros + slot)
    for k in range(ring, zeros, slot):
        clear(k, k + PAIR_BYTES)
        clear(k + slot - PAIR_BYTES, k + slot)
    tasks = field(at, TASKS)
    while True:
        task = taken(at + 8 * NEXT_TASK)
        if task >= field(at, IMAGES) * tasks:
            break
        image, band = divmod(task, tasks)
        gate_band(at, image, band * height // tasks, (band + 1) * height // tasks, normalized, ring, slot, zeros)


@on_all_threads
def finish(at: int) -> None:
    """What one thread does of the second half, in place of s, until no chunk of positions is left."""
    channels, chunk = field(at, CHANNELS), field(at, CHUNK)
    size, panel, panels = 4 * channels, channels * VECTOR_BYTES, channels // LANES
    u = field(at, SCRATCH) + taken(at + 8 * NEXT_THREAD) * field(at, SCRATCH_BYTES)
    normalized = u + chunk * size
    gated = normalized + chunk * size
    positions = field(at, HEIGHT) * field(at, WIDTH)
    chunks = -(-positions // chunk)
    while True:
        task = taken(at + 8 * NEXT_TASK)
        if task >= field(at, IMAGES) * chunks:
            break
        image, k = divmod(task, chunks)
        count = min(chunk, positions - k * chunk)
        begin = (image * positions + k * chunk) * size
        x, s, project = field(at, X) + begin, field(at, S) + begin, field(at, PROJECT) + image * panels * panel
        for p in range(0, panels, 2):
            c = p * VECTOR_BYTES
            product_and_sum(
                s, size, count, project + p * panel, panel, field(at, PROJECT_BIAS) + c, VECTOR_BYTES, channels,
                u + c, size, x + c,
            )  # fmt: skip
        normalize_all(u, normalized, count, channels)
        for p in range(panels):
            c = p * VECTOR_BYTES
            product_and_gate(
                normalized, size, count, field(at, INNER) + p * panel, panels * panel, field(at, INNER_BIAS) + c, size,
                channels, gated + c, size, 0,
            )  # fmt: skip
        for p in range(0, panels, 2):
            c = p * VECTOR_BYTES
            product_and_sum(
                gated, size, count, field(at, NARROW) + p * panel, panel, field(at, NARROW_BIAS) + c, VECTOR_BYTES,
                channels, s + c, size, u + c,
            )  # fmt: skip
