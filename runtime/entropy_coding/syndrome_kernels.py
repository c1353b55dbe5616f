"""The loops behind `syndromes.py`, compiled: summing columns, measuring distances to boundaries."""

from __future__ import annotations

import numpy as np

from codecspec.runtime.entropy_coding.compiled import compiled, part

WORDS = 3
"""64-bit words of a column."""

ZERO, ONE, TWO, THREE = np.uint64(0), np.uint64(1), np.uint64(2), np.uint64(3)
LOW_32 = np.uint64(0xFFFFFFFF)


@part
def _mix(counter):
    """Output number `counter` of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) seeded with 0."""
    z = (counter + ONE) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@compiled
def sum_columns(indexes, syndrome):
    """XOR the columns of odd indexes into `syndrome`, uint64 (WORDS,); returns the weighted sum of all, 32 bits."""
    first = second = third = total = ZERO
    for j in range(len(indexes)):
        counter = np.uint64(j) << TWO
        index = np.uint64(indexes[j])
        odd = ZERO - (index & ONE)
        first ^= _mix(counter) & odd
        second ^= _mix(counter + ONE) & odd
        third ^= _mix(counter + TWO) & odd
        total += _mix(counter + THREE) * index
    syndrome[0] ^= first
    syndrome[1] ^= second
    syndrome[2] ^= third
    return total & LOW_32


@compiled
def columns(positions, out):
    """The outputs 4j to 4j + 3 of each position j, into `out`, uint64 (n, 4): its column, and its weight."""
    for i in range(len(positions)):
        for w in range(WORDS + 1):
            out[i, w] = _mix((np.uint64(positions[i]) << TWO) + np.uint64(w))


@compiled
def distances(scales, indexes, boundaries, lowest_row, out):
    """How far each scale is from its nearest boundary, relative to that: positive below it, negative above it.

    Returns how many distances have each of the 256 exponents of a float32, biased as there.
    """
    rows = len(boundaries)
    lower, upper = np.full(rows, -np.inf, np.float32), np.full(rows, np.inf, np.float32)
    per_lower, per_upper = np.ones(rows, np.float32), np.ones(rows, np.float32)
    for row in range(lowest_row, rows - 1):
        upper[row] = lower[row + 1] = boundaries[row]
        per_upper[row] = per_lower[row + 1] = np.float32(1) / boundaries[row]
    for j in range(len(scales)):
        row = indexes[j]
        above = (upper[row] - scales[j]) * per_upper[row]
        below = (lower[row] - scales[j]) * per_lower[row]
        nearest = below if -below < above else above
        out[j] = nearest if nearest == nearest else np.float32(np.inf)
    counts = np.zeros(256, np.int64)
    exponents = out.view(np.int32)
    for j in range(len(scales)):
        counts[(exponents[j] >> 23) & 255] += 1
    return counts
