"""Which blocks run together on which tiles."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from codecspec import load_spec, lower
from codecspec.compiler.memory import transform_blocks
from codecspec.runtime.tile_plan import SCRATCH, Block, Run, intervals, least_room, map_sizes, plan_runs, tiles
from tests.runtime.small_codecs import SMALL

KINDS = {
    "conv": Block("0", 1, 1, before=2, after=2),
    "conv, stride 2": Block("0", 1, 1, down=2, before=2, after=1),
    "deconv": Block("0", 1, 1, up=2, before=1, after=1),
    "windows": Block("0", 1, 1, window=8),
    "shifted windows": Block("0", 1, 1, window=8, shift=4),
    "whole": Block("0", 1, 1, whole=True),
}


@pytest.mark.parametrize(
    ("kind", "out", "needed"),
    [
        ("conv", (10, 20), (8, 22)),
        ("conv", (0, 20), (0, 22)),
        ("conv", (30, 40), (28, 40)),
        ("conv, stride 2", (3, 5), (4, 11)),
        ("conv, stride 2", (15, 20), (28, 40)),
        ("deconv", (7, 9), (2, 6)),
        ("windows", (9, 15), (8, 16)),
        ("windows", (15, 17), (8, 24)),
        ("shifted windows", (12, 20), (8, 24)),  # one shifted window, in a piece that begins at a window
        ("shifted windows", (0, 4), (0, 8)),
        ("shifted windows", (11, 13), (0, 24)),
        ("shifted windows", (36, 40), (32, 40)),
        ("whole", (3, 4), (0, 40)),
    ],
)
def test_what_a_piece_needs_of_a_map_of_40(kind: str, out: tuple[int, int], needed: tuple[int, int]) -> None:
    block = KINDS[kind]
    assert block.needed(out, 40)[0] % math.lcm(block.window, block.down) == 0
    if kind == "conv, stride 2" and out == (3, 5):
        assert block.needed(out, 40) == (4, 12), "rounded up to the stride"
    else:
        assert block.needed(out, 40) == needed


def held_by(blocks: tuple[Block, ...], height: int, width: int, run: Run) -> float:
    """Numbers that a run holds at most, counted tile by tile."""
    rows, columns = map_sizes(blocks, height), map_sizes(blocks, width)
    most = 0.0
    for tall in tiles(rows[run.last], run.rows):
        for wide in tiles(columns[run.last], run.columns):
            at = zip(
                intervals(blocks, rows, (run.first, run.last), tall),
                intervals(blocks, columns, (run.first, run.last), wide),
                strict=True,
            )
            areas = [(a[1] - a[0]) * (b[1] - b[0]) for a, b in at]
            most = max(most, *(blocks[run.first + i].held * area for i, area in enumerate(areas[:-1])))
    maps = blocks[run.first].c_in * rows[run.first] * columns[run.first] if run.first else 0
    if (run.rows, run.columns) != (rows[run.last], columns[run.last]):
        maps += blocks[run.last - 1].c_out * rows[run.last] * columns[run.last]
    return SCRATCH * most + maps


@pytest.mark.parametrize("name", ["wacnn", "tcm", "stf", "elic", "cca"])
def test_runs_follow_each_other_and_stay_within_the_room(name: str) -> None:
    blocks = transform_blocks(lower(load_spec(name)).root("g_a"))
    for room in (1e8, 3e8, 1e9):
        runs = plan_runs(blocks, 1088, 1920, room)
        assert runs is not None
        assert [run.first for run in runs] == [0, *(run.last for run in runs[:-1])]
        assert runs[-1].last == len(blocks)
        assert all(held_by(blocks, 1088, 1920, run) <= room for run in runs)


def test_where_there_is_room_the_transform_runs_as_ever() -> None:
    blocks = transform_blocks(lower(load_spec("wacnn")).root("g_s"))
    assert plan_runs(blocks, 32, 48, 1e10) == (Run(0, len(blocks), 512, 768),)


def test_a_pooling_block_in_a_cut_run_is_surveyed_first() -> None:
    blocks = transform_blocks(lower(load_spec("cca")).root("g_a"))
    runs = plan_runs(blocks, 1088, 1920, 1e8)
    assert runs is not None
    for run in runs:
        pooling = [i + 1 for i in range(run.first, run.last) if blocks[i].pools]
        rows, columns = map_sizes(blocks, 1088)[run.last], map_sizes(blocks, 1920)[run.last]
        is_cut = run.rows < rows or run.columns < columns
        assert [survey.last for survey in run.surveys] == (pooling if is_cut else [])
    assert any(run.surveys for run in runs)


def test_less_room_is_never_less_work_and_least_room_is_the_least() -> None:
    blocks = transform_blocks(lower(load_spec("stf")).root("g_a"))
    least = least_room(blocks, 544, 960)
    assert plan_runs(blocks, 544, 960, least) is not None
    assert plan_runs(blocks, 544, 960, 0.96 * least) is None


def test_a_block_that_says_nothing_of_its_reach_is_never_cut() -> None:
    conv = Block("0", 8, 8, before=1, after=1, macs=1.0, held=16.0)
    blocks = (conv, Block("1", 8, 8, whole=True, macs=1.0, held=16.0), conv)
    runs = plan_runs(blocks, 64, 64, SCRATCH * 16 * 64 * 64 + 8 * 64 * 64)
    assert runs is not None
    whole = next(run for run in runs if run.first <= 1 < run.last)
    assert (whole.rows, whole.columns) == (64, 64)
    assert plan_runs(blocks, 64, 64, SCRATCH * 16 * 64 * 64 - 1) is None


def test_every_block_of_the_zoo_says_how_far_it_sees() -> None:
    for name in SMALL:
        plan = lower(load_spec(name))
        for root in ("g_a", "g_s"):
            blocks = transform_blocks(plan.root(root))
            assert not [block.path for block in blocks if block.whole], name
            assert all(after.c_in == before.c_out for before, after in pairwise(blocks))
