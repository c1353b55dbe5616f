"""Which table indexes of a block were flipped: linear algebra over the positions next to a boundary.

The columns of the nearest positions that are independent, as many as a syndrome has bits, are a basis: in it every
difference of two syndromes is one sum, the first explanation, and where flips are few and near, as drift makes them, it
is the right one. Each of the next positions, and each pair of the nearest of those, gives another: it is flipped too,
and the basis explains the rest (ordered statistics: Fossorier and Lin, IEEE Trans. Inf. Theory 41(5), 1995).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NUM_OUTSIDE = 256
"""So many positions beyond the bits of a syndrome are candidates."""
NUM_PAIRED = 64
"""So many positions outside the basis are tried in pairs."""
SLACK_BITS = 4
"""An explanation may take so many bits more than the syndrome has."""

DRIFTS = 2.0 ** np.arange(-26, -6)
CHECK_MASK = np.uint64(0xFFFFFFFF)
COLUMN = 256
"""The bits of a row of a basis from here on are a sum of columns; those below say of which."""

NO_EXTRAS = np.zeros((1, 0), np.int64)

Flips = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Candidates:
    """The positions of a block that may have been flipped, nearest to a boundary first.

    Args:
        columns: of each, in turn, cut to the bits of a syndrome.
        weights: uint64 (k,), what a flip adds to the check; its low 32 bits count.
        distance: float64 (k,), to the boundary, relative to it.
    """

    columns: Iterable[int]
    weights: NDArray[np.uint64]
    distance: NDArray[np.float64]


def find_flips(candidates: Candidates, bits: int, difference: int, check: int) -> Flips:
    """The candidates whose flips explain the differences of two syndromes of `bits` bits and of two checks.

    Of the explanations that satisfy the check and name the flips in `bits` + SLACK_BITS bits it is the likeliest; empty
    if there is none.
    """
    basis = _Basis()
    row = difference << COLUMN
    for position, column in enumerate(candidates.columns):
        basis.add(position, column)
        if row >> COLUMN and not (row := basis.reduce(row)) >> COLUMN:
            flips = _likeliest(candidates, bits, _satisfying(candidates, basis, row, check, NO_EXTRAS))
            if len(flips):
                return flips
    if row >> COLUMN:
        return np.zeros(0, np.int64)
    singles = np.arange(len(basis.others))[:, None]
    pairs = np.stack(np.triu_indices(min(len(basis.others), NUM_PAIRED), 1), axis=1)
    found = [flips for extras in (singles, pairs) for flips in _satisfying(candidates, basis, row, check, extras)]
    return _likeliest(candidates, bits, found)


class _Basis:
    """Independent columns. Each row is a sum of members, by its leading bit, and which members those are."""

    def __init__(self) -> None:
        self.members: list[int] = []
        self.others: list[int] = []
        self.written: list[int] = []
        self._rows: dict[int, int] = {}

    def reduce(self, row: int) -> int:
        """Take members from the sum in a row until none fits its leading bit, or nothing is left of it."""
        while row >> COLUMN:
            pivot = self._rows.get(row.bit_length())
            if pivot is None:
                break
            row ^= pivot
        return row

    def add(self, position: int, column: int) -> None:
        """Make a position a member, or one of the others."""
        row = self.reduce(column << COLUMN)
        if row >> COLUMN:
            self._rows[row.bit_length()] = row ^ (1 << len(self.members))
            self.members.append(position)
        else:
            self.others.append(position)
            self.written.append(row)


def _satisfying(candidates: Candidates, basis: _Basis, row: int, check: int, extras: NDArray[np.int64]) -> list[Flips]:
    """The explanations that satisfy the check, of those with the flips `extras`, (n, k), outside the basis."""
    members, others = np.array(basis.members, np.int64), np.array(basis.others, np.int64)
    terms = np.bitwise_xor.reduce(_flags(basis.written, len(members))[extras], axis=1) ^ _flags([row], len(members))
    weights = candidates.weights
    totals = terms @ weights[members] + weights[others[extras]].sum(axis=1, dtype=np.uint64)
    matches = np.flatnonzero(totals & CHECK_MASK == check)
    return [np.concatenate([members[terms[k] > 0], others[extras[k]]]) for k in matches]


def _flags(written: Iterable[int], members: int) -> NDArray[np.uint64]:
    """(n, members): 1 for the members of each sum."""
    raw = b"".join(terms.to_bytes(COLUMN // 8, "little") for terms in written)
    flags = np.unpackbits(np.frombuffer(raw, np.uint8), bitorder="little")
    return flags.reshape(-1, COLUMN)[:, :members].astype(np.uint64)


def _likeliest(candidates: Candidates, bits: int, explanations: list[Flips]) -> Flips:
    """The explanation that takes the fewest bits, under the drift that suits it best; empty if all take too many.

    A position flips with probability 1 / (2 + 2 (distance / drift)^2): drift is nearly Gaussian but not equally strong
    everywhere, and these tails allow for that.
    """
    best, least = np.zeros(0, np.int64), float(bits + SLACK_BITS)
    if not explanations:
        return best
    probability = 0.5 / (1 + (candidates.distance / DRIFTS[:, None]) ** 2)
    staying, flipping = -np.log2(1 - probability), -np.log2(probability)
    for flips in explanations:
        taken = (staying.sum(axis=1) + (flipping - staying)[:, flips].sum(axis=1)).min()
        if taken <= least:
            best, least = flips, float(taken)
    return best
