"""The support filter out of the channels that each slice's head sees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from codecspec.compiler.reading import Told
from codecspec.schema.support import SliceIndexes, Support

MAX_SEARCHED = 64
"""Slices up to which supports that no filter names are searched for."""


def told_support(widths: Sequence[int], seen: Sequence[int]) -> Told | None:
    """The support with which slice k sees `seen[k]` channels of earlier slices, of `widths` each; None if none does.

    Only sums of widths are told. Named filters come before written slices, and what else sums to the same is said: the
    other named filters, and whether any other choice of slices does.
    """
    named = [support for support in _named(len(widths)) if _sums(support.indices(len(widths)), widths) == list(seen)]
    unique: dict[SliceIndexes, Support] = {}
    for support in named:
        unique.setdefault(support.indices(len(widths)), support)
    choices = [support.canonical(len(widths)) for support in unique.values()]
    searched = len(widths) <= MAX_SEARCHED
    if not choices and searched:
        written = [_subset(widths[:k], total) for k, total in enumerate(seen)]
        found = tuple(subset for subset in written if subset is not None)
        choices = [Support(slices=found)] if len(found) == len(written) else []
    if not choices:
        return None
    certain = searched and all(_num_subsets(widths[:k], total) == 1 for k, total in enumerate(seen))
    return Told(choices[0], derived=certain, alternatives=tuple(choices[1:]))


def _named(num_slices: int) -> Iterator[Support]:
    yield Support(filter="all")
    for name in ("first", "recent"):
        for most in range(num_slices):
            yield Support(filter=name, max=most)
    yield Support(filter="first_and_recent")
    yield Support(filter="skip_most_recent")


def _sums(slices: SliceIndexes, widths: Sequence[int]) -> list[int]:
    return [sum(widths[j] for j in seen) for seen in slices]


def _subset(widths: Sequence[int], total: int) -> tuple[int, ...] | None:
    """The slices that sum to `total`, the earliest that do."""
    reached: dict[int, tuple[int, ...]] = {0: ()}
    for j, width in enumerate(widths):
        for sum_, slices in list(reached.items()):
            if sum_ + width <= total:
                reached.setdefault(sum_ + width, (*slices, j))
    return reached.get(total)


def _num_subsets(widths: Sequence[int], total: int) -> int:
    """How many choices of slices sum to `total`; 2 stands for more."""
    ways: dict[int, int] = {0: 1}
    for width in widths:
        for sum_, count in list(ways.items()):
            if sum_ + width <= total:
                ways[sum_ + width] = min(2, ways.get(sum_ + width, 0) + count)
    return ways.get(total, 0)
