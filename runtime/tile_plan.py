"""How a transform runs in pieces: which blocks together, on tiles of what size, for the least work in a bounded memory.

A transform is cut into runs of blocks. Between two runs the whole map is kept; within a run, tile by tile, the blocks
work on as much of their input as the tile depends on (`needed`), and what a tile's edges spoiled is cropped after every
block. So work is repeated only where tiles of one run overlap, and most of that where maps are too large to be kept.
No torch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

Interval = tuple[int, int]
"""Positions along an axis, from the first up to the last, exclusive."""
PARTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""Into how many tiles an axis may be divided."""
GRID = 8
"""Tiles are multiples of so many positions where they can, so that windows are seldom cut."""
OVERHEAD = 1e7
"""What a block costs for every tile beside its work, in multiply-accumulates: some 0.1 ms."""
SCRATCH = 2.0
"""What a network takes beside its maps, as a factor: convolutions rearrange them, and freed memory lies in pieces."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block of a transform, as far as running it in pieces goes.

    Args:
        path: of its module below the transform.
        c_in: channels in.
        c_out: channels out.
        up: positions out per `down` positions in.
        down: see `up`.
        before: input positions further up and left that an output position depends on.
        after: the same, down and right.
        window: side of the windows that it attends in, from the map's first position on; 1 for none.
        shift: their cyclic shift.
        pools: it depends on a mean over the whole map, at its input's resolution, too.
        whole: it depends on the whole map in some other way, and is never cut.
        macs: multiply-accumulates per position in.
        held: numbers held at once at most, input and output included, per position in.
    """

    path: str
    c_in: int
    c_out: int
    up: int = 1
    down: int = 1
    before: int = 0
    after: int = 0
    window: int = 1
    shift: int = 0
    pools: bool = False
    whole: bool = False
    macs: float = 0.0
    held: float = 0.0

    def size_out(self, size: int) -> int:
        """Positions out of `size` positions in, along an axis."""
        return -(-size * self.up // self.down)

    def needed(self, out: Interval, size: int) -> Interval:
        """The input positions, of `size`, that a block has to be given so that its output is right at `out`.

        They begin where strides and windows do. Where they end inside the map, no window is cut and no padding is
        within reach of `out`; at the map's own borders the block pads as it always does.
        """
        if self.whole:
            return 0, size
        first = out[0] * self.down // self.up - self.before
        last = -(-out[1] * self.down // self.up) + self.after
        if self.shift:
            first = (first - self.shift) // self.window * self.window + self.shift
            last = -(-(last - self.shift) // self.window) * self.window + self.shift
        grid = math.lcm(self.window, self.down)
        return max(0, first) // grid * grid, min(size, -(-last // grid) * grid)


@dataclass(frozen=True, slots=True)
class Run:
    """Blocks that run together, tile by tile.

    Args:
        first: the first of them.
        last: one behind the last of them.
        rows: rows of a tile, in positions of what they give.
        columns: columns of a tile.
        surveys: runs from `first` to each block that pools, in order, which give nothing but its mean.
    """

    first: int
    last: int
    rows: int
    columns: int
    surveys: tuple[Run, ...] = ()


def map_sizes(blocks: Sequence[Block], size: int) -> list[int]:
    """Positions along an axis at the input of each block, and at the output of the last."""
    sizes = [size]
    for block in blocks:
        sizes.append(block.size_out(sizes[-1]))
    return sizes


def intervals(blocks: Sequence[Block], sizes: Sequence[int], run: tuple[int, int], out: Interval) -> list[Interval]:
    """What a tile needs along an axis: at the input of each block from `run[0]` on, and, last, the tile itself."""
    found = [out]
    for i in range(run[1] - 1, run[0] - 1, -1):
        found.append(blocks[i].needed(found[-1], sizes[i]))
    return found[::-1]


def tiles(size: int, length: int) -> Iterator[Interval]:
    """Tiles of `length` that cover `size` positions."""
    for start in range(0, size, length):
        yield start, min(size, start + length)


@lru_cache(maxsize=64)
def plan_runs(blocks: tuple[Block, ...], height: int, width: int, room: float) -> tuple[Run, ...] | None:
    """The runs that do the least work and never hold more than `room` numbers; None if there are none.

    Maps between two runs are counted, the input of the first is not. A run of one tile is the transform as ever.
    """
    rows, columns = map_sizes(blocks, height), map_sizes(blocks, width)
    areas = [tall * wide for tall, wide in zip(rows, columns, strict=True)]
    kept = [0.0, *(block.c_in * area for block, area in zip(blocks[1:], areas[1:], strict=False))]
    best: list[tuple[float, tuple[Run, ...]] | None] = [(0.0, ())]
    surveys: dict[tuple[int, int], tuple[float, Run]] = {}
    for last in range(1, len(blocks) + 1):
        made = blocks[last - 1].c_out * areas[last]
        found = _cheapest(blocks, (rows, columns), last, room, kept, made)
        if blocks[last - 1].pools:
            surveys |= {
                (first, last): each for first, each in _cheapest(blocks, (rows, columns), last, room, kept, 0.0).items()
            }
        best.append(None)
        for first, (work, run) in found.items():
            before = best[first]
            pooled = [i + 1 for i in range(first, last) if blocks[i].pools] if _is_cut(run, rows, columns) else []
            if before is None or any((first, end) not in surveys for end in pooled):
                continue
            seen = [surveys[first, end] for end in pooled]
            total = before[0] + work + sum(cost for cost, _ in seen)
            now = best[last]
            if now is None or total < now[0]:
                whole = Run(first, last, run.rows, run.columns, tuple(survey for _, survey in seen))
                best[last] = total, (*before[1], whole)
    reached = best[-1]
    return None if reached is None else reached[1]


def least_room(blocks: tuple[Block, ...], height: int, width: int) -> float:
    """Numbers that `plan_runs` finds runs for, and with a few percent less does not."""
    low = high = 1e6
    while plan_runs(blocks, height, width, high) is None:
        low, high = high, 2 * high
    while high > 1.03 * low:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if plan_runs(blocks, height, width, middle) else (middle, high)
    return high


def _is_cut(run: Run, rows: Sequence[int], columns: Sequence[int]) -> bool:
    return run.rows < rows[run.last] or run.columns < columns[run.last]


def _cheapest(
    blocks: tuple[Block, ...],
    sizes: tuple[list[int], list[int]],
    last: int,
    room: float,
    kept: Sequence[float],
    made: float,
) -> dict[int, tuple[float, Run]]:
    """For each first block the run up to `last` of the least work that `room` allows, and that work.

    Args:
        blocks: all blocks.
        sizes: rows and columns at each block.
        last: one behind the last block.
        room: numbers that may be held.
        kept: numbers of the map that a run beginning at each block is given.
        made: numbers of the map that it makes, where it makes that in pieces.
    """
    found: dict[int, tuple[float, Run]] = {}
    tall, wide = (_along(blocks, of_axis[0], last) for of_axis in sizes)
    for rows, (row_totals, row_most) in tall.items():
        for columns, (column_totals, column_most) in wide.items():
            count = -(-sizes[0][last] // rows) * -(-sizes[1][last] // columns)
            work, held, out = OVERHEAD, 0.0, made if count > 1 else 0.0
            for first in range(last - 1, -1, -1):
                block = blocks[first]
                work += block.macs * row_totals[first] * column_totals[first] + OVERHEAD * count
                held = max(held, SCRATCH * block.held * row_most[first] * column_most[first])
                if held > room:
                    break
                if held + kept[first] + out <= room and (first not in found or work < found[first][0]):
                    found[first] = work, Run(first, last, rows, columns)
    return found


@lru_cache(maxsize=256)
def _along(blocks: tuple[Block, ...], whole: int, last: int) -> dict[int, tuple[list[int], list[int]]]:
    """Length of a tile along an axis -> the positions that all tiles together, and one at most, have at the input of
    each block up to `last`; `whole` positions go into the first block."""
    sizes = map_sizes(blocks, whole)
    size = sizes[last]
    lengths = {min(size, math.ceil(size / parts / GRID) * GRID) for parts in PARTS}
    found = {}
    for length in sorted(lengths, reverse=True):
        of_tiles = [intervals(blocks, sizes, (0, last), tile) for tile in tiles(size, length)]
        spans = [[end - start for start, end in at] for at in zip(*of_tiles, strict=True)]
        found[length] = [sum(span) for span in spans], [max(span) for span in spans]
    return found
