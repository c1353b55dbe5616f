"""MS-SSIM (Wang, Simoncelli, Bovik, Asilomar 2003), as the field's results have it: the figures of pytorch-msssim.

That library filters by a convolution of one channel, which on a CPU takes 0.6 s of processor time for a picture of
768x512, a tenth of coding it; the kernel here a twentieth of that. Tests hold the two together.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Of the five scales, the finest first."""
WINDOW = 11
SIGMA = 1.5
SMALLEST_SIDE = (WINDOW - 1) * 2 ** (len(WEIGHTS) - 1) + 1
"""161: the window must lie inside the image on the coarsest scale too."""

Planes = NDArray[np.float32]


def ms_ssim(image: Planes, other: Planes, highest: float) -> float | None:
    """MS-SSIM of two images, the mean over their channels; 1 where they are equal.

    Args:
        image: (C, H, W), samples from 0 to `highest`.
        other: (C, H, W).
        highest: the value of white.

    Returns:
        None where a side is under 161 pixels.
    """
    if min(image.shape[1:]) < SMALLEST_SIDE:
        return None
    with ThreadPoolExecutor(len(image)) as threads:  # the kernel lets go of the interpreter's lock
        return fmean(threads.map(_of_channels, image[:, None], other[:, None], repeat(highest)))


def _of_channels(image: Planes, other: Planes, highest: float) -> float:
    product = np.ones(len(image))
    for weight in WEIGHTS[:-1]:
        _, contrast = _similarity(image, other, highest)
        product *= np.maximum(contrast, 0) ** weight
        image, other = _halved(image), _halved(other)
    whole, _ = _similarity(image, other, highest)
    return float((product * np.maximum(whole, 0) ** WEIGHTS[-1]).mean())


def _similarity(image: Planes, other: Planes, highest: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """SSIM of each channel on one scale, and its part without luminance."""
    c1, c2 = (0.01 * highest) ** 2, (0.03 * highest) ** 2
    mean, other_mean = _blurred(image), _blurred(other)
    covariance = _blurred(image * other) - mean * other_mean
    variances = _blurred(image * image + other * other) - mean * mean - other_mean * other_mean
    contrast = (2 * covariance + c2) / (variances + c2)
    luminance = (2 * mean * other_mean + c1) / (mean * mean + other_mean * other_mean + c1)
    return _mean(luminance * contrast), _mean(contrast)


def _mean(planes: Planes) -> NDArray[np.float64]:
    means: NDArray[np.float64] = planes.mean((1, 2), dtype=np.float64)
    return means


def _blurred(planes: Planes) -> Planes:
    """Filtered by the Gaussian window, where it lies inside the image."""
    from codecspec.runtime.evaluation.blur_kernels import blurred

    offsets = np.arange(WINDOW) - WINDOW // 2
    taps = np.exp(-(offsets**2) / (2 * SIGMA**2))
    found: Planes = blurred(np.ascontiguousarray(planes), (taps / taps.sum()).astype(np.float32))
    return found


def _halved(planes: Planes) -> Planes:
    """Means of 2x2 samples; an odd side gets a zero in front, as pytorch-msssim's pooling has it."""
    padded = np.pad(planes, ((0, 0), *((side % 2, 0) for side in planes.shape[1:])))
    channels, height, width = padded.shape
    halved: Planes = padded.reshape(channels, height // 2, 2, width // 2, 2).mean((2, 4), dtype=np.float32)
    return halved
