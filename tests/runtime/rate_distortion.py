"""Curves of rate and distortion as codecs have them, for tests."""

from __future__ import annotations

import math
import random

from codecspec.runtime.results import Curve


def random_curve(random_source: random.Random, points: int) -> Curve:
    """A curve between some 0.05 and 2 bits per pixel: quality grows by 4 to 7 dB each time the rate doubles."""
    rates = [random_source.uniform(0.05, 0.2)]
    slope, start = random_source.uniform(4, 7), random_source.uniform(24, 29)
    quality = [start]
    for _ in range(points - 1):
        rates.append(rates[-1] * random_source.uniform(1.25, 1.7))
        step = math.log2(rates[-1] / rates[-2]) * slope * random_source.uniform(0.7, 1.1)
        quality.append(quality[-1] + step)
    return Curve("a codec", "psnr", "measured", tuple(zip(rates, quality, strict=True)))


def curve(*points: tuple[float, float], name: str = "a codec") -> Curve:
    """A curve of measured points."""
    return Curve(name, "psnr", "measured", points)
