"""Widths of slices and leaves of slices against numbers written by hand; numbers that may be params."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from codecspec.schema.channel_groups import GroupsSpec, group_widths
from codecspec.schema.fields import Flag, Kernel, Scope, Widths
from codecspec.schema.leaves import Leaves, leaf_indexes, leaf_per_slice

SCOPE = Scope(params={"K": 5, "ws": [16, 16, 288], "ps": [1, 2.5]})


def _widths(groups: object, channels: int) -> tuple[int, ...]:
    return group_widths(TypeAdapter(GroupsSpec).validate_python(groups, context=SCOPE), channels)


@pytest.mark.parametrize(
    ("groups", "widths"),
    [
        ({"equal": 10}, (32,) * 10),
        ({"equal": "K"}, (64,) * 5),
        ({"proportions": [8, 28, 56, 92, 136]}, (8, 28, 56, 92, 136)),
        ({"proportions": [1, 1, 1]}, (106, 106, 108)),
        ({"proportions": "ps"}, (91, 229)),
        ({"proportions": ["K", 2.5]}, (213, 107)),
        ({"proportions": [0.1, 0.2]}, (106, 214)),
        ({"proportions": [4]}, (80,) * 4),
        ([16, 16, 32, 64, 192], (16, 16, 32, 64, 192)),
        (["K * 2", "300 + K * 2"], (10, 310)),
        ("ws", (16, 16, 288)),
        ([320], (320,)),
    ],
)
def test_group_widths(groups: object, widths: tuple[int, ...]) -> None:
    assert _widths(groups, 320) == widths
    assert sum(widths) == 320


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"equal": 7}, "320 channels do not divide into 7 equal slices"),
        ({"equal": 640}, "do not divide into 640"),
        ([160, 159], "the groups sum to 319 channels, and y has 320"),
        ({"proportions": [1, 1000]}, r"leave a slice empty: \[0, 320\]"),
        ({"proportions": [0.5]}, "a number of equal slices, 1 to 1024; found 0.5"),
        ({"proportions": [7]}, "do not divide into 7"),
    ],
)
def test_groups_that_do_not_come_out(groups: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _widths(groups, 320)


def _leaves(*counts: int | None) -> Leaves:
    return TypeAdapter(Leaves).validate_python([{"type": "gaussian", "count": count} for count in counts])


@pytest.mark.parametrize(
    ("counts", "indexes"),
    [
        ((None,), [0, 0, 0, 0]),
        ((4,), [0, 0, 0, 0]),
        ((1, None), [0, 1, 1, 1]),
        ((None, 1), [0, 0, 0, 1]),
        ((1, None, 2), [0, 1, 2, 2]),
        ((2, None, 2), [0, 0, 2, 2]),
        ((0, 4), [1, 1, 1, 1]),
    ],
)
def test_leaf_of_each_slice(counts: tuple[int | None, ...], indexes: list[int]) -> None:
    leaves = _leaves(*counts)
    assert leaf_indexes(leaves, 4) == indexes
    assert [leaf.count for leaf in leaf_per_slice(leaves, 4)] == [None] * 4


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ((3,), "the leaves take 3 slices, and there are 4"),
        ((5,), "the leaves take 5 slices"),
        ((3, None, 2), "the leaves take 5 slices"),
        ((None, 1, None), "more than one leaf has no `count`"),
    ],
)
def test_leaves_that_do_not_come_out(counts: tuple[int | None, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        leaf_indexes(_leaves(*counts), 4)


def test_a_list_of_widths_may_be_a_param_or_hold_expressions() -> None:
    widths = TypeAdapter(Widths)
    assert widths.validate_python("ws", context=SCOPE) == (16, 16, 288)
    assert widths.validate_python(["K", 7, "ws[0] + 1"], context=SCOPE) == (5, 7, 17)
    assert widths.validate_python([], context=SCOPE) == ()
    assert {"K", "ws"} <= SCOPE.used


@pytest.mark.parametrize("kernel", [1, 3, 255, "K", "K + 2"])
def test_odd_kernels(kernel: object) -> None:
    assert TypeAdapter(Kernel).validate_python(kernel, context=SCOPE) % 2 == 1


@pytest.mark.parametrize("value", ["yes", "true", 1, 0, 1.0, None])
def test_flags_are_true_or_false(value: object) -> None:
    with pytest.raises(ValueError, match="bool_type"):
        TypeAdapter(Flag).validate_python(value)
