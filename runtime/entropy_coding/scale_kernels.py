"""The loops over scales, compiled."""

from __future__ import annotations

import numpy as np

from codecspec.runtime.entropy_coding.compiled import compiled
from codecspec.runtime.entropy_coding.scale_index import SHIFT

NEGATIVE_INFINITY = np.int32(-0x800000)
NAN = np.int32(0x7FC00000)


@compiled
def indexes_of(scale_bits, boundary_bits, first, steps, lowest, out):
    """The row of each scale, into `out`; see `scale_index.Boundaries`."""
    bound = np.int32(lowest)
    for i in range(len(scale_bits)):
        bits = scale_bits[i]
        if bits < 0 and bits > NEGATIVE_INFINITY:
            bits = NAN
        bits = max(bits, bound)
        row = first[bits >> SHIFT]
        for _ in range(steps):
            row += bits > boundary_bits[row]
        out[i] = row
