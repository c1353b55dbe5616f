"""Running a transform in pieces, as planned."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from codecspec.runtime.layers.map_mean import MapMean, Seen
from codecspec.runtime.tile_plan import Block, Interval, Run, intervals, map_sizes, tiles


def run_in_pieces(
    transform: nn.Module, blocks: Sequence[Block], runs: Sequence[Run], x: Tensor, memory_format: torch.memory_format
) -> Tensor:
    """What `transform(x)` is, to rounding errors, run by run.

    Args:
        transform: blocks in a row.
        blocks: what is known of each of them.
        runs: from its first block to its last.
        x: (N, C, H, W).
        memory_format: of the maps.
    """
    pieces = _Pieces(transform, blocks, x, memory_format)
    for run in runs:
        x = pieces.whole(run, x)
    return x


class _Pieces:
    def __init__(self, transform: nn.Module, blocks: Sequence[Block], x: Tensor, memory_format: torch.memory_format):
        self.blocks = blocks
        self.modules = [transform.get_submodule(block.path) for block in blocks]
        self.rows, self.columns = (map_sizes(blocks, size) for size in x.shape[-2:])
        self.memory_format = memory_format

    def whole(self, run: Run, x: Tensor) -> Tensor:
        """The map that a run makes of the map x."""
        tall, wide = self.rows[run.last], self.columns[run.last]
        if run.rows >= tall and run.columns >= wide:
            x = x.contiguous(memory_format=self.memory_format)
            for module in self.modules[run.first : run.last]:
                x = module(x)
            return x
        try:
            for survey in run.surveys:
                self.survey(survey, x)
            shape = len(x), self.blocks[run.last - 1].c_out, tall, wide
            out = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=self.memory_format)
            for rows in tiles(tall, run.rows):
                for columns in tiles(wide, run.columns):
                    out[..., slice(*rows), slice(*columns)] = self.tile(run, x, rows, columns)
        finally:
            for survey in run.surveys:
                self.mean_of(survey).forget()
        return out

    def tile(self, run: Run, x: Tensor, rows: Interval, columns: Interval) -> Tensor:
        """The part of what a run makes of x that lies at `rows` and `columns`."""
        tall = intervals(self.blocks, self.rows, (run.first, run.last), rows)
        wide = intervals(self.blocks, self.columns, (run.first, run.last), columns)
        # A copy, as blocks may compute in place and tiles overlap.
        piece = x[..., slice(*tall[0]), slice(*wide[0])].clone(memory_format=self.memory_format)
        for i in range(run.last - run.first):
            block = self.blocks[run.first + i]
            piece = self.modules[run.first + i](piece)
            piece = piece[..., _kept(block, tall[i], tall[i + 1]), _kept(block, wide[i], wide[i + 1])]
            piece = piece.contiguous(memory_format=self.memory_format)
        return piece

    def mean_of(self, survey: Run) -> MapMean:
        """What takes the mean in the last block of a survey."""
        (mean,) = (module for module in self.modules[survey.last - 1].modules() if isinstance(module, MapMean))
        return mean

    def survey(self, run: Run, x: Tensor) -> None:
        """Look at all of the map whose mean the last block of a run takes; from now on it is known."""
        mean = self.mean_of(run)
        size = self.rows[run.last], self.columns[run.last]
        sizes = self.rows[run.last - 1], self.columns[run.last - 1]
        block = self.blocks[run.last - 1]
        for rows in tiles(size[0], run.rows):
            for columns in tiles(size[1], run.columns):
                top, left = block.needed(rows, sizes[0])[0], block.needed(columns, sizes[1])[0]
                mean.look_at(slice(rows[0] - top, rows[1] - top), slice(columns[0] - left, columns[1] - left))
                try:
                    self.tile(run, x, rows, columns)
                except Seen:
                    continue
        mean.settle(sizes[0] * sizes[1], like=x)


def _kept(block: Block, given: Interval, wanted: Interval) -> slice:
    """Where in what a block makes of its input positions `given` its output positions `wanted` lie."""
    start = given[0] * block.up // block.down
    return slice(wanted[0] - start, wanted[1] - start)
