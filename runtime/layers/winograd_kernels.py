"""Winograd's convolutions F(4x4, 3x3), block by block in the caches.

                    each thread, a block of tiles at a time
    maps ─► 36 elements of each tile ─┐
                                      ├─► 36 matrix products ─► sums, bias, activation, what is added ─► maps
    taps ─────────────────────────────┘

All of it is float32. Strides are in bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from codecspec.runtime.entropy_coding.compiled import inlined, on_all_threads, part
from codecspec.runtime.layers.packed_weights import PANEL
from codecspec.runtime.layers.product_kernels import LINE, TILE_ROWS, WIDE, tile_product
from codecspec.runtime.layers.winograd import TILE
from codecspec.runtime.vector_kernels import (
    LANES,
    VECTOR_BYTES,
    Builder,
    Float,
    Integer,
    Vector,
    bit,
    emitted,
    everywhere,
    field,
    float_at,
    gathered,
    load,
    minus,
    offset,
    plus,
    rectified,
    store,
    taken,
    weighted_sum,
)

SIDE = TILE + 2
"""Side of the tiles of the input."""
ELEMENTS = SIDE * SIDE
"""Products for each tile and pair of channels, where a plain convolution has 9 * TILE^2."""
POINTS = (0.0, 0.625, -0.625, 1.5, -1.5)
"""Where the polynomials are evaluated, beside infinity. Rounding errors are half of those of 0, 1, -1, 2, -2."""

# The arguments of `convolve`: these, then the fields of each source, of each group, and of each pair (source, group).
NEXT_BLOCK, NEXT_THREAD, SCRATCH, SCRATCH_BYTES, IMAGES, DOWN, ACROSS, BLOCK, ABOVE, SLOPE = range(10)
SOURCES, GROUPS, MOST_CHANNELS, OUT_CHANNELS = range(10, 14)
FIRST_SOURCE = 14
# Maps: the address of the first position, strides, size.
MAPS, IMAGE, ROW, POSITION, HEIGHT, WIDTH = range(6)
# A source: maps, and their channels.
CHANNELS = 6
SOURCE_FIELDS = 7
# A group: maps to write to, maps of that size to add, or address 0, and biases.
ADDED, ADDED_IMAGE, ADDED_ROW, ADDED_POSITION, BIAS = range(6, 11)
GROUP_FIELDS = 11
# A pair: taps (ELEMENTS, OUT_CHANNELS / PANEL, CHANNELS, PANEL), and a bit for each element whose taps are all zeros.
TAPS, NEEDLESS = range(2)
PAIR_FIELDS = 2


def _transforms() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """(SIDE, SIDE), (SIDE, 3) and (TILE, SIDE): what takes tiles and taps to the elements, and products back.

    Of Toom and Cook; see Lavin & Gray, CVPR 2016, and Barabasz et al., Error analysis and improving the accuracy of
    Winograd convolution for deep neural networks, 2020, section 2.
    """
    tiles, taps, back = np.zeros((SIDE, SIDE)), np.zeros((SIDE, 3)), np.zeros((TILE, SIDE))
    for k, point in enumerate(POINTS):
        others = [other for other in POINTS if other != point]
        tiles[k, :-1] = np.poly(others)[::-1]
        taps[k] = point ** np.arange(3) / np.prod([point - other for other in others])
        back[:, k] = point ** np.arange(TILE)
    tiles[-1] = np.poly(POINTS)[::-1]
    taps[-1, -1] = back[-1, -1] = 1
    tiles[np.abs(tiles) < 1e-12] = 0  # what rounding leaves of zeros
    return tiles, taps, back


_TILES, _TAPS, _BACK = _transforms()

multiply_wide, multiply_panel = tile_product(TILE_ROWS, WIDE), tile_product(TILE_ROWS, PANEL)


def _evaluated(b: Builder, tile: Sequence[Vector]) -> list[Vector]:
    """SIDE values -> SIDE elements. Those of a point and of its negative are one sum of even and odd parts apart."""
    elements = [weighted_sum(b, _TILES[0], tile)]
    for k in range(1, len(POINTS), 2):
        even, odd = (weighted_sum(b, _TILES[k, begin::2], tile[begin::2]) for begin in (0, 1))
        elements += [plus(b, even, odd), minus(b, even, odd)]
    return [*elements, weighted_sum(b, _TILES[-1], tile)]


def _interpolated(b: Builder, products: Sequence[Vector]) -> list[Vector]:
    """SIDE products -> TILE values; even powers of the points take sums over pairs of them, odd ones differences."""
    first, *pairs, last = products
    sums, differences = (
        [first, *(combine(b, pairs[k], pairs[k + 1]) for k in range(0, len(pairs), 2)), last]
        for combine in (plus, minus)
    )
    weights = _BACK[:, [0, *range(1, len(POINTS), 2), SIDE - 1]]
    return [weighted_sum(b, row, differences if k % 2 else sums) for k, row in enumerate(weights)]


def _both_ways(
    b: Builder, grid: Sequence[Sequence[Vector]], transform: Callable[..., list[Vector]]
) -> list[list[Vector]]:
    """Transform the columns of a grid, then its rows."""
    columns = [transform(b, column) for column in zip(*grid, strict=True)]
    return [transform(b, row) for row in zip(*columns, strict=True)]


@emitted
def evaluate(b: Builder, tile: Integer, row: Integer, position: Integer, elements: Integer, step: Integer) -> None:
    """A tile's channels at `tile`, for LANES of them -> elements, `step` apart."""
    grid = [[load(b, offset(b, offset(b, tile, row, i), position, j)) for j in range(SIDE)] for i in range(SIDE)]
    for k, element in enumerate(chain(*_both_ways(b, grid, _evaluated))):
        store(b, element, offset(b, elements, step, k))


@emitted
def evaluate_taps(
    b: Builder, weight: Integer, lane: Integer, row: Integer, column: Integer, there: Integer, elements: Integer,
    step: Integer,
) -> None:  # fmt: skip
    """3x3 taps -> elements, `step` apart, for LANES output channels, `lane` bytes apart.

    `there` has a bit for each tap; the others are not looked at, and are 0.
    """

    def tap(k: int) -> Vector:
        has = bit(b, there, k)
        place = b.select(has, b.add(offset(b, weight, row, k // 3), b.mul(column, column.type(k % 3))), elements)
        return b.select(has, gathered(b, place, b.select(has, lane, lane.type(0))), everywhere(b, 0.0))

    def evaluated(b: Builder, taps: Sequence[Vector]) -> list[Vector]:
        return [weighted_sum(b, row, taps) for row in _TAPS]

    grid = [[tap(3 * i + j) for j in range(3)] for i in range(3)]
    for k, element in enumerate(chain(*_both_ways(b, grid, evaluated))):
        store(b, element, offset(b, elements, step, k))


@emitted
def interpolate(
    b: Builder, products: Integer, step: Integer, bias: Integer, slope: Float, out: Integer, row: Integer,
    position: Integer,
) -> None:  # fmt: skip
    """Products of LANES channels, `step` apart -> a tile of the output, with bias and activation."""
    grid = [[load(b, offset(b, products, step, SIDE * i + j)) for j in range(SIDE)] for i in range(SIDE)]
    biases, slopes = load(b, bias), everywhere(b, slope)
    for i, values in enumerate(_both_ways(b, grid, _interpolated)):
        for j, value in enumerate(values):
            store(b, rectified(b, plus(b, value, biases), slopes), offset(b, offset(b, out, row, i), position, j))


@part
def gather(source: int, image: int, top: int, left: int, patch: int) -> None:
    """Copy a tile that goes beyond its maps to `patch`, (SIDE, SIDE, channels), with zeros there."""
    size = 4 * field(source, CHANNELS)
    base = field(source, MAPS) + image * field(source, IMAGE)
    for i in range(SIDE):
        for j in range(SIDE):
            y, x = top + i, left + j
            target = patch + (SIDE * i + j) * size
            if 0 <= y < field(source, HEIGHT) and 0 <= x < field(source, WIDTH):
                position = base + y * field(source, ROW) + x * field(source, POSITION)
                for k in range(0, size, VECTOR_BYTES):
                    store(load(position + k), target + k)
            else:
                for k in range(0, size, VECTOR_BYTES):
                    store(everywhere(0.0), target + k)


@inlined
def evaluate_tile(source: int, image: int, top: int, left: int, patch: int, elements: int, step: int) -> None:
    """The elements of the tile of a source whose first position is (top, left)."""
    size = 4 * field(source, CHANNELS)
    row, position = field(source, ROW), field(source, POSITION)
    tile = field(source, MAPS) + image * field(source, IMAGE) + top * row + left * position
    if top < 0 or left < 0 or top + SIDE > field(source, HEIGHT) or left + SIDE > field(source, WIDTH):
        gather(source, image, top, left, patch)
        tile, row, position = patch, SIDE * size, size
    for k in range(0, size, VECTOR_BYTES):
        evaluate(tile + k, row, position, elements + k, step)


@inlined
def multiply_elements(
    elements: int, channels: int, taps: int, products: int, out_channels: int, tiles: int, room: int, needless: int,
    adding: int,
) -> None:  # fmt: skip
    """The products of all elements of `tiles` tiles; there is room for `room` of them."""
    row, out_row = 4 * channels, 4 * out_channels
    for k in range(ELEMENTS):
        left, right, out = elements + k * room * row, taps + k * channels * out_row, products + k * room * out_row
        if needless >> k & 1:
            if not adding:
                for at in range(0, tiles * out_row, VECTOR_BYTES):
                    store(everywhere(0.0), out + at)
            continue
        for c in range(0, out_channels, WIDE):
            for t in range(0, tiles, TILE_ROWS):
                own, target = left + t * row, out + t * out_row + 4 * c
                begin = target if adding else 0
                if WIDE == PANEL or c + PANEL < out_channels:
                    multiply_wide(
                        own, row, right + c * row, LINE, channels * LINE, begin, out_row, target, out_row, channels,
                        0, 0, False,
                    )  # fmt: skip
                else:
                    multiply_panel(
                        own, row, right + c * row, LINE, 0, begin, out_row, target, out_row, channels, 0, 0, False
                    )


@inlined
def interpolate_tile(
    group: int, image: int, top: int, left: int, products: int, step: int, size: int, slope: float, patch: int
) -> None:
    """Write the tile of a group whose first position is (top, left), as far as it is inside; `size` bytes of channels
    a position."""
    row, position, bias = field(group, ROW), field(group, POSITION), field(group, BIAS)
    begin = field(group, MAPS) + image * field(group, IMAGE) + top * row + left * position
    added = field(group, ADDED)
    added_row, added_position = field(group, ADDED_ROW), field(group, ADDED_POSITION)
    added_begin = added + image * field(group, ADDED_IMAGE) + top * added_row + left * added_position
    height, width = min(TILE, field(group, HEIGHT) - top), min(TILE, field(group, WIDTH) - left)
    whole = height == TILE and width == TILE
    for k in range(0, size, VECTOR_BYTES):
        if whole:
            interpolate(products + k, step, bias + k, slope, begin + k, row, position)
        else:
            interpolate(products + k, step, bias + k, slope, patch, TILE * VECTOR_BYTES, VECTOR_BYTES)
            for i in range(height):
                for j in range(width):
                    store(load(patch + (TILE * i + j) * VECTOR_BYTES), begin + k + i * row + j * position)
        if added:
            for i in range(height):
                for j in range(width):
                    at = begin + k + i * row + j * position
                    store(plus(load(added_begin + k + i * added_row + j * added_position), load(at)), at)


@on_all_threads
def convolve(at: int) -> None:
    """What one thread does of a convolution, until no block of tiles is left; see `runtime/layers/winograd.py`."""
    down, across, room = field(at, DOWN), field(at, ACROSS), field(at, BLOCK)
    sources, groups = field(at, SOURCES), field(at, GROUPS)
    out_channels, slope = field(at, OUT_CHANNELS), float_at(field(at, SLOPE))
    elements = field(at, SCRATCH) + taken(at + 8 * NEXT_THREAD) * field(at, SCRATCH_BYTES)
    products = elements + 4 * ELEMENTS * room * field(at, MOST_CHANNELS)
    patch = products + 4 * ELEMENTS * room * out_channels
    first_source = at + 8 * FIRST_SOURCE
    first_group = first_source + 8 * SOURCE_FIELDS * sources
    first_pair = first_group + 8 * GROUP_FIELDS * groups
    all_tiles = field(at, IMAGES) * down * across
    while True:
        begin = taken(at + 8 * NEXT_BLOCK) * room
        tiles = min(room, all_tiles - begin)
        if tiles <= 0:
            break
        for g in range(groups):
            group = first_group + 8 * GROUP_FIELDS * g
            for s in range(sources):
                source = first_source + 8 * SOURCE_FIELDS * s
                channels = field(source, CHANNELS)
                if g == 0 or sources > 1:  # else they are still there
                    for t in range(tiles):
                        image, rest = divmod(begin + t, down * across)
                        top, left = TILE * (rest // across) - field(at, ABOVE), TILE * (rest % across) - 1
                        own = elements + 4 * t * channels
                        evaluate_tile(source, image, top, left, patch, own, 4 * room * channels)
                pair = first_pair + 8 * PAIR_FIELDS * (s * groups + g)
                taps, needless = field(pair, TAPS), field(pair, NEEDLESS)
                multiply_elements(
                    elements, channels, taps, products, out_channels, tiles, room, needless, 1 if s else 0
                )
            for t in range(tiles):
                image, rest = divmod(begin + t, down * across)
                top, left = TILE * (rest // across), TILE * (rest % across)
                own, step = products + 4 * t * out_channels, 4 * room * out_channels
                interpolate_tile(group, image, top, left, own, step, 4 * out_channels, slope, patch)


# The arguments of `transform_taps`: NEXT_BLOCK, the number of kernels, then the fields of each.
KERNELS, FIRST_KERNEL = 1, 2
WEIGHT, OUT, IN, TAP_ROW, TAP_COLUMN, THERE, TO, PANELS, DEPTH = range(9)
"""The first tap, strides of output channels, input channels, rows and columns of taps, a bit for each of the 9 that is
there, and where to write (ELEMENTS, PANELS, DEPTH, PANEL)."""
KERNEL_FIELDS = 9


@on_all_threads
def transform_taps(at: int) -> None:
    """What one thread does of the taps of all kernels: a panel of output channels at a time."""
    while True:
        panel = taken(at + 8 * NEXT_BLOCK)
        kernel = at + 8 * FIRST_KERNEL
        left = field(at, KERNELS)
        while left and panel >= field(kernel, PANELS):
            panel -= field(kernel, PANELS)
            kernel += 8 * KERNEL_FIELDS
            left -= 1
        if not left:
            break
        depth, lane = field(kernel, DEPTH), field(kernel, OUT)
        step = field(kernel, PANELS) * depth * LINE
        row, column = field(kernel, TAP_ROW), field(kernel, TAP_COLUMN)
        for c in range(depth):
            for k in range(0, PANEL, LANES):
                weight = field(kernel, WEIGHT) + (panel * PANEL + k) * lane + c * field(kernel, IN)
                elements = field(kernel, TO) + (panel * depth + c) * LINE + 4 * k
                evaluate_taps(weight, lane, row, column, field(kernel, THERE), elements, step)
