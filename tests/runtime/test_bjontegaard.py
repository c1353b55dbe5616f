"""Bjontegaard's figures are those of the `bjontegaard` package, and are refused where they mean nothing."""

from __future__ import annotations

import math
import random

import bjontegaard as reference
import pytest

from codecspec.runtime.bjontegaard import METHODS, bjontegaard
from codecspec.runtime.results import Curve
from codecspec.schema.errors import ResultsError
from tests.runtime.rate_distortion import curve, random_curve

STRAIGHT = curve((0.1, 28), (0.2, 30), (0.4, 32), (0.8, 34))


def pairs(count: int) -> list[tuple[Curve, Curve]]:
    """Pairs of curves with a range in common, of 4 to 8 points each."""
    source = random.Random(3)
    found: list[tuple[Curve, Curve]] = []
    while len(found) < count:
        pair = random_curve(source, source.randint(4, 8)), random_curve(source, source.randint(4, 8))
        rates, qualities = ([curve.rates for curve in pair], [curve.qualities for curve in pair])
        if all(max(a[0], b[0]) * 1.02 < min(a[-1], b[-1]) for a, b in (rates, qualities)):
            found.append(pair)
    return found


def test_the_figures_are_those_of_the_package() -> None:
    for anchor, test in pairs(300):
        found = bjontegaard(anchor, test)
        points = (anchor.rates, anchor.qualities, test.rates, test.qualities)
        for method in METHODS:
            options = {"method": method, "require_matching_points": False, "min_overlap": 0}
            assert found.rate_percent[method] == pytest.approx(reference.bd_rate(*points, **options), abs=0.01)
            assert found.quality_db[method] == pytest.approx(reference.bd_psnr(*points, **options), abs=1e-4)


def test_the_same_curve_shifted_is_known_by_hand() -> None:
    """Twice the rate everywhere is 100 percent, and 2 dB that the doubling brings here are lost."""
    twice = curve(*((2 * rate, quality) for rate, quality in STRAIGHT.points))
    found = bjontegaard(STRAIGHT, twice)
    assert list(found.rate_percent) == list(found.quality_db) == ["cubic", "pchip", "akima"]
    for method in METHODS:
        assert found.rate_percent[method] == pytest.approx(100)
        assert found.quality_db[method] == pytest.approx(-2)
    assert (found.quality_overlap.low, found.quality_overlap.high, found.quality_overlap.share) == (28, 34, 1)
    assert found.rate_overlap.low == pytest.approx(0.2)
    assert found.rate_overlap.high == pytest.approx(0.8)
    assert found.rate_overlap.share == pytest.approx(math.log(4) / math.log(16))


def test_against_itself_there_is_nothing() -> None:
    found = bjontegaard(STRAIGHT, STRAIGHT)
    assert [*found.rate_percent.values(), *found.quality_db.values()] == pytest.approx([0] * 6)


@pytest.mark.parametrize(
    ("test", "says"),
    [
        (curve((0.1, 28)), "a curve of 1 point; .* at least 4"),
        (curve((0.1, 28), (0.2, 30), (0.4, 32)), "a curve of 3 points; .* at least 4"),
        (curve((0.1, 40), (0.2, 42), (0.4, 44), (0.8, 46)), "no range in common: 28.000 to 34.000 and 40.000"),
        (curve((2, 28), (3, 30), (4, 32), (5, 34)), "no range in common: .* log10 of bits per pixel"),
        (
            curve((0.1, 28), (0.2, 31), (0.4, 30), (0.8, 34)),
            "does not rise from 31.0000 dB at 0.2000 .* to 30.0000 dB at 0.4000",
        ),
        (curve((0.1, 28), (0.1, 30), (0.4, 32), (0.8, 34)), "at one quality it has no one rate"),
        (curve((0.1, 28), (0.2, 30), (0.4, 30), (0.8, 34)), "does not rise from 30.0000 dB at 0.2000 .* to 30.0000"),
        (curve((0.1, 34), (0.2, 36), (0.4, 38), (0.8, 40)), "no range in common"),
        (curve((0.1, 28), (0.1 + 1e-9, 30), (0.4, 32), (0.8, 34)), "at 0.1 .* 28 dB and at 0.100000001, 30 are too"),
        (curve((0.1, 28), (0.2, 28 + 1e-9), (0.4, 32), (0.8, 34)), "28 dB and at 0.2, 28.000000001 are too close"),
        (curve((0.1, 28), (0.1 + 2e-17, 30), (0.1 + 4e-17, 32), (0.1 + 6e-17, 34)), "too close together"),
        (curve((5e-324, 28), (1e-200, 30), (1e-200 + 1e-216, 32), (0.8, 34)), "too close together: less than 1e-06"),
        (
            curve((1e-12, 28), (1e-11, 28.001), (1e-10, 28.002), (0.8, 34)),
            r"cubic .* 10\^1.49e\+03 times the rate of a codec:",
        ),
    ],
)
def test_refused(test: Curve, says: str) -> None:
    with pytest.raises(ResultsError, match=says) as caught:
        bjontegaard(STRAIGHT, test)
    assert caught.value.code == "E-curves"
