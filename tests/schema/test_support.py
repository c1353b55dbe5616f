"""The support filter against indexes written by hand."""

from __future__ import annotations

import pytest

from codecspec.schema.support import Support

ALL = ((), (0,), (0, 1), (0, 1, 2), (0, 1, 2, 3))
FIRST_2 = ((), (0,), (0, 1), (0, 1), (0, 1))
RECENT_2 = ((), (0,), (0, 1), (1, 2), (2, 3))
RECENT_1 = ((), (0,), (1,), (2,), (3,))
NOTHING = ((), (), (), (), ())
CHANDELIER = ((), (0,), (0, 1), (0, 2), (0, 3))
SKIPPED = ((), (), (0,), (0, 1), (0, 1, 2))
OWN = ((), (0,), (1, 0), (2,), (0, 3))


@pytest.mark.parametrize(
    ("support", "indices", "canonical"),
    [
        (Support(), ALL, Support(filter="all")),
        (Support(filter="all"), ALL, Support(filter="all")),
        (Support(filter="first"), ALL, Support(filter="all")),
        (Support(filter="first", max=4), ALL, Support(filter="all")),
        (Support(filter="first", max=2), FIRST_2, Support(filter="first", max=2)),
        (Support(filter="first", max=0), NOTHING, Support(filter="first", max=0)),
        (Support(filter="recent"), ALL, Support(filter="all")),
        (Support(filter="recent", max=9), ALL, Support(filter="all")),
        (Support(filter="recent", max=2), RECENT_2, Support(filter="recent", max=2)),
        (Support(filter="recent", max=1), RECENT_1, Support(filter="recent", max=1)),
        (Support(filter="recent", max=0), NOTHING, Support(filter="first", max=0)),
        (Support(filter="first_and_recent"), CHANDELIER, Support(filter="first_and_recent")),
        (Support(filter="skip_most_recent"), SKIPPED, Support(filter="skip_most_recent")),
        (Support(slices=ALL), ALL, Support(filter="all")),
        (Support(slices=FIRST_2), FIRST_2, Support(filter="first", max=2)),
        (Support(slices=RECENT_2), RECENT_2, Support(filter="recent", max=2)),
        (Support(slices=CHANDELIER), CHANDELIER, Support(filter="first_and_recent")),
        (Support(slices=SKIPPED), SKIPPED, Support(filter="skip_most_recent")),
        (Support(slices=OWN), OWN, Support(slices=OWN)),
    ],
    ids=lambda value: str(value) if isinstance(value, Support) else "",
)
def test_indices_and_their_name(support: Support, indices: tuple[tuple[int, ...], ...], canonical: Support) -> None:
    assert support.indices(5) == indices
    assert support.problem(5) is None
    assert support.canonical(5) == canonical
    assert support.canonical(5).indices(5) == indices
    assert support.canonical(5).canonical(5) == support.canonical(5)


@pytest.mark.parametrize("name", ["all", "first", "recent", "first_and_recent", "skip_most_recent"])
def test_a_single_slice_sees_nothing(name: str) -> None:
    support = Support.model_validate({"filter": name})
    assert support.indices(1) == ((),)
    assert support.canonical(1) == Support(filter="all")


def test_two_slices_have_few_supports() -> None:
    assert Support(filter="first_and_recent").canonical(2) == Support(filter="all")
    assert Support(filter="skip_most_recent").canonical(2) == Support(filter="first", max=0)


@pytest.mark.parametrize(
    ("support", "place", "message"),
    [
        (Support(max=3), ("max",), "`filter: all`"),
        (Support(filter="first_and_recent", max=3), ("max",), "`filter: first_and_recent`"),
        (Support(slices=ALL, max=3), ("max",), "found it with `slices`"),
        (Support(filter="recent", slices=ALL), ("filter",), "leave `filter: recent` out"),
        (Support(slices=ALL[:4]), ("slices",), "has 4 lists, and there are 5 slices"),
        (Support(slices=((0,), *ALL[1:])), ("slices", 0, 0), "slice 0 cannot see slice 0"),
        (Support(slices=(*ALL[:4], (0, 4))), ("slices", 4, 1), "slice 4 cannot see slice 4"),
        (Support(slices=(*ALL[:4], (0, 1, 0))), ("slices", 4, 2), "slice 4 sees slice 0 twice"),
    ],
)
def test_problem(support: Support, place: tuple[str | int, ...], message: str) -> None:
    found = support.problem(5)
    assert found is not None
    assert found[0] == place
    assert message in found[1]
