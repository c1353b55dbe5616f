"""Squared errors of two images and SSIM of two planes, each in one walk over their rows; planes of half the size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codecspec.runtime.entropy_coding.compiled import compiled, part

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
TWO, QUARTER = np.float32(2), np.float32(0.25)
"""A plain 2 would have the whole formula computed in twice the precision, at half the speed."""


@compiled
def squared_errors(image: Floats, other: Floats, luma: Doubles) -> tuple[float, float]:
    """Sums of the squares of `other - image`: of all samples, and of what `luma` makes of a pixel's channels.

    Args:
        image: (C, H, W).
        other: (C, H, W).
        luma: (C,), what each channel counts.
    """
    channels, height, width = image.shape
    # Sums for each column, as in `similarity`.
    of_all, of_luma, mixed = np.zeros(width), np.zeros(width), np.empty(width)
    for y in range(height):
        mixed[:] = 0
        for c in range(channels):
            for x in range(width):
                error = np.float64(other[c, y, x]) - np.float64(image[c, y, x])
                of_all[x] += error * error
                mixed[x] += luma[c] * error
        for x in range(width):
            of_luma[x] += mixed[x] * mixed[x]
    return of_all.sum(), of_luma.sum()


@compiled
def similarity(image: Floats, other: Floats, taps: Floats, c1: np.float32, c2: np.float32) -> tuple[float, float]:
    """Mean SSIM of two (H, W) planes where the window lies inside, and the mean of its part without luminance.

    Args:
        image: (H, W).
        other: (H, W).
        taps: the window's eleven, the same from both ends.
        c1: SSIM's constant for luminance.
        c2: SSIM's constant for contrast.
    """
    height, width = image.shape
    tall, wide = height - len(taps) + 1, width - len(taps) + 1
    product = image * other
    squares = image * image + other * other
    row = np.empty(width, np.float32)
    mean, other_mean = np.empty(wide, np.float32), np.empty(wide, np.float32)
    mean_product, mean_squares = np.empty(wide, np.float32), np.empty(wide, np.float32)
    # A sum for each column: in a single one, every addition would wait for the one before.
    wholes, contrasts = np.zeros(wide), np.zeros(wide)
    for y in range(tall):
        _blur(image, y, taps, row, mean)
        _blur(other, y, taps, row, other_mean)
        _blur(product, y, taps, row, mean_product)
        _blur(squares, y, taps, row, mean_squares)
        for x in range(wide):
            both = mean[x] * other_mean[x]
            each = mean[x] * mean[x] + other_mean[x] * other_mean[x]
            contrast = (TWO * (mean_product[x] - both) + c2) / (mean_squares[x] - each + c2)
            contrasts[x] += contrast
            wholes[x] += contrast * (TWO * both + c1) / (each + c1)
    return wholes.sum() / (tall * wide), contrasts.sum() / (tall * wide)


@part
def _blur(plane: Floats, y: int, taps: Floats, row: Floats, out: Floats) -> None:
    """A row of the plane under the window, whose first row is y: down into `row`, then across into `out`.

    Whole rows at a time, and every tap in one expression, so that the compiler takes as many samples at once as the
    machine can and keeps the sums in registers; two samples whose taps are equal are one multiplication.
    """
    t0, t1, t2, t3, t4, t5 = taps[0], taps[1], taps[2], taps[3], taps[4], taps[5]
    p = plane[y : y + len(taps)]
    for x in range(len(row)):
        ends = t0 * (p[0, x] + p[10, x]) + t1 * (p[1, x] + p[9, x]) + t2 * (p[2, x] + p[8, x])
        row[x] = t5 * p[5, x] + t4 * (p[4, x] + p[6, x]) + t3 * (p[3, x] + p[7, x]) + ends
    for x in range(len(out)):
        ends = t0 * (row[x] + row[x + 10]) + t1 * (row[x + 1] + row[x + 9]) + t2 * (row[x + 2] + row[x + 8])
        out[x] = t5 * row[x + 5] + t4 * (row[x + 4] + row[x + 6]) + t3 * (row[x + 3] + row[x + 7]) + ends


@compiled
def halved(plane: Floats) -> Floats:
    """(H, W), an even number of each -> means of 2x2 samples, (H / 2, W / 2)."""
    height, width = plane.shape[0] // 2, plane.shape[1] // 2
    out = np.empty((height, width), np.float32)
    for y in range(height):
        for x in range(width):
            above = plane[2 * y, 2 * x] + plane[2 * y, 2 * x + 1]
            out[y, x] = QUARTER * (above + plane[2 * y + 1, 2 * x] + plane[2 * y + 1, 2 * x + 1])
    return out
