"""MS-SSIM's window, slid over planes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codecspec.runtime.entropy_coding.compiled import compiled

Planes = NDArray[np.float32]


@compiled
def blurred(planes: Planes, taps: NDArray[np.float32]) -> Planes:
    """(C, H, W), filtered by n taps down and across where they lie inside: (C, H - n + 1, W - n + 1)."""
    channels, height, width = planes.shape
    tall, wide = height - len(taps) + 1, width - len(taps) + 1
    out = np.empty((channels, tall, wide), np.float32)
    row = np.empty(width, np.float32)
    for channel in range(channels):
        for y in range(tall):
            # Whole rows at a time, so that the compiler takes as many samples at once as the machine can.
            row[:] = 0
            for k in range(len(taps)):
                for x in range(width):
                    row[x] += taps[k] * planes[channel, y + k, x]
            target = out[channel, y]
            target[:] = 0
            for k in range(len(taps)):
                for x in range(wide):
                    target[x] += taps[k] * row[x + k]
    return out
