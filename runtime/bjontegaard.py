"""Bjontegaard's method: the rate that a codec saves at the same quality, and its gain at the same rate.

Both curves are interpolated, rate on a logarithmic scale, and the mean distance between them is taken over the range
that both have (Bjontegaard, VCEG-M33, 2001). How they are interpolated changes the figure, so it is always said:

    cubic   one polynomial of degree 3 through (of more than four points: nearest to) the points; the original
    pchip   piecewise cubic, monotone between points; what JCT-VC's and JVET's common test conditions use
    akima   piecewise cubic after Akima; nearest to densely sampled curves (Herglotz et al., 2022)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, get_args

from codecspec.runtime.results import Curve, Metric
from codecspec.schema.errors import ResultsError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

Method = Literal["cubic", "pchip", "akima"]
METHODS: tuple[Method, ...] = get_args(Method)
MIN_POINTS = 4
CLOSEST = 1e-6
"""Of a curve's range: points nearer to one another differ by chance, and what is drawn through them swings."""
MOST_DECADES = 12
"""Rates further apart are no finding about two codecs, but interpolation that swings."""
LEAVE_OUT = "leave out the points of another model or setting"


@dataclass(frozen=True, slots=True)
class Overlap:
    """A range that both curves have.

    Args:
        low: where it begins.
        high: where it ends.
        share: its part of the range that at least one of them has.
    """

    low: float
    high: float
    share: float


@dataclass(frozen=True, slots=True)
class Bjontegaard:
    """A codec against an anchor.

    Args:
        metric: what quality is.
        quality_overlap: the range in dB over which rates were compared.
        rate_overlap: the range in bits per pixel over which qualities were compared.
        rate_percent: by method, how much more rate the codec takes at the same quality; negative is better.
        quality_db: by method, how much better it is at the same rate, in dB; positive is better.
    """

    metric: Metric
    quality_overlap: Overlap
    rate_overlap: Overlap
    rate_percent: dict[Method, float]
    quality_db: dict[Method, float]


def bjontegaard(anchor: Curve, test: Curve) -> Bjontegaard:
    """BD-rate and BD-PSNR (or its like for another metric) of `test` against `anchor`, by every method.

    Raises:
        ResultsError: a curve has fewer than four points, or does not rise, or they lie so that nothing can be drawn
            through them; or the two have no range in common.
    """
    import numpy as np

    for curve in (anchor, test):
        _require_curve(curve)
    rates = [np.log10(np.array(curve.rates)) for curve in (anchor, test)]
    qualities = [np.array(curve.qualities) for curve in (anchor, test)]
    quality_overlap = _overlap(qualities, anchor, test, "dB")
    log_overlap = _overlap(rates, anchor, test, "log10 of bits per pixel")
    rate_overlap = Overlap(10**log_overlap.low, 10**log_overlap.high, log_overlap.share)
    decades = {m: _distance(qualities, rates, quality_overlap, m) for m in METHODS}
    _require_sense(decades, anchor, test)
    return Bjontegaard(
        metric=anchor.metric,
        quality_overlap=quality_overlap,
        rate_overlap=rate_overlap,
        rate_percent={m: 100 * (10 ** decades[m] - 1) for m in METHODS},
        quality_db={m: _distance(rates, qualities, log_overlap, m) for m in METHODS},
    )


def _require_curve(curve: Curve) -> None:
    if len(curve.points) < MIN_POINTS:
        message = f"a curve of {curve.counted}; Bjontegaard's method takes at least {MIN_POINTS}"
        raise ResultsError("E-curves", curve.name, message)
    for (rate, quality), (more, better) in pairwise(curve.points):
        if more <= rate or better <= quality:
            message = (
                f"the curve does not rise from {quality:.4f} dB at {rate:.4f} bits per pixel to {better:.4f} dB at "
                f"{more:.4f}; at one quality it has no one rate"
            )
            raise ResultsError("E-curves", curve.name, message, LEAVE_OUT)
    _require_apart(curve)


def _require_apart(curve: Curve) -> None:
    """Refuse points that are nearly one."""
    (least, worst), (most, best) = curve.points[0], curve.points[-1]
    for (rate, quality), (more, better) in pairwise(curve.points):
        decades = math.log10(more) - math.log10(rate), math.log10(most) - math.log10(least)
        if decades[0] <= CLOSEST * decades[1] or better - quality <= CLOSEST * (best - worst):
            message = (
                f"the points at {rate:.12g} bits per pixel, {quality:.12g} dB and at {more:.12g}, {better:.12g} are "
                f"too close together: less than {CLOSEST:g} of the curve's range"
            )
            raise ResultsError("E-curves", curve.name, message, LEAVE_OUT)


def _require_sense(decades: dict[Method, float], anchor: Curve, test: Curve) -> None:
    """Refuse distances between rates that no two codecs have."""
    for method, distance in decades.items():
        if abs(distance) > MOST_DECADES:
            message = (
                f"{method} interpolation gives 10^{distance:.3g} times the rate of {anchor.name}: no curve goes "
                "smoothly through the points of one of the two"
            )
            raise ResultsError("E-curves", test.name, message, LEAVE_OUT)


def _overlap(ranges: list[Numbers], anchor: Curve, test: Curve, unit: str) -> Overlap:
    low, high = (float(bound) for bound in (max(ranges[0][0], ranges[1][0]), min(ranges[0][-1], ranges[1][-1])))
    if low >= high:
        said = " and ".join(f"{values[0]:.3f} to {values[-1]:.3f}" for values in ranges)
        message = f"{anchor.name} and {test.name} have no range in common: {said} {unit}"
        raise ResultsError("E-curves", test.name, message, "compare curves that cover the same qualities and rates")
    total = max(ranges[0][-1], ranges[1][-1]) - min(ranges[0][0], ranges[1][0])
    return Overlap(low, high, float((high - low) / total))


def _distance(xs: list[Numbers], ys: list[Numbers], overlap: Overlap, method: Method) -> float:
    """The mean of test minus anchor over the overlap."""
    low, high = overlap.low, overlap.high
    anchor, test = (_integral(x, y, low, high, method) for x, y in zip(xs, ys, strict=True))
    return (test - anchor) / (high - low)


def _integral(x: Numbers, y: Numbers, low: float, high: float, method: Method) -> float:
    import numpy as np
    from scipy.interpolate import Akima1DInterpolator, PchipInterpolator

    if method == "cubic":
        polynomial = np.polynomial.Polynomial.fit(x, y, 3).integ()  # type: ignore[no-untyped-call]
        return float(polynomial(high) - polynomial(low))
    interpolator = PchipInterpolator(x, y) if method == "pchip" else Akima1DInterpolator(x, y)
    return float(interpolator.integrate(low, high))
