"""The loops behind `syndromes.py`, compiled: summing columns, finding the nearest boundaries, solving for the flips."""

from __future__ import annotations

import numpy as np

from codecspec.runtime.entropy_coding.compiled import compiled, part

WORDS = 3
"""64-bit words of a column."""
PAIRED = 64
"""So many positions outside the basis are tried in pairs."""
SLACK = 4.0
"""An explanation may take so many bits more than the syndrome has."""

ZERO, ONE, TWO, THREE, SIX = np.uint64(0), np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(6)
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
def distances(scales, indexes, boundaries, lowest_row, out):
    """How far each scale is from its nearest boundary, relative to that: positive below it, negative above it.

    Returns how many distances have each of the 256 exponents of a float32, biased as there.
    """
    counts = np.zeros(256, np.int64)
    last = len(boundaries) - 1
    for j in range(len(scales)):
        row = indexes[j]
        nearest = np.float32(np.inf)
        if row < last:
            nearest = (boundaries[row] - scales[j]) / boundaries[row]
        if row > lowest_row:
            below = (boundaries[row - 1] - scales[j]) / boundaries[row - 1]
            nearest = below if -below < nearest else nearest
        out[j] = nearest if nearest == nearest else np.float32(np.inf)
    exponents = out.view(np.int32)
    for j in range(len(scales)):
        counts[(exponents[j] >> 23) & 255] += 1
    return counts


@compiled
def solve(positions, steps, distance, target, check, bits, flips):
    """Find the flips that explain the difference of two syndromes and of two checks.

    Args:
        positions: int64 (k,), candidates, nearest to a boundary first.
        steps: int64 (k,), what a flip adds to an index: 1 or -1.
        distance: float64 (k,), positive.
        target: uint64 (WORDS,), the difference of the syndromes.
        check: uint64, the difference of the checks.
        bits: of a syndrome.
        flips: bool (k,), filled with the most likely explanation.

    Returns:
        Whether there is an explanation that is likely enough and satisfies the check.
    """
    count = len(positions)
    columns, weights = _columns(positions, steps, bits)
    vectors = np.zeros((bits, WORDS), np.uint64)
    made_of = np.zeros((bits, WORDS), np.uint64)
    leads = np.zeros(bits, np.int64)
    basis = np.zeros(bits, np.int64)
    extras = np.zeros(count, np.int64)
    written = np.zeros((count + 1, WORDS), np.uint64)
    none, rank, outside = count, 0, 0
    for j in range(count):
        _write(columns[j], written[outside], vectors, made_of, leads, rank)
        lead = _lowest_bit(columns[j])
        if lead < 0:
            extras[outside] = j
            outside += 1
            continue
        written[outside, rank >> 6] ^= ONE << np.uint64(rank & 63)
        vectors[rank], made_of[rank], leads[rank], basis[rank] = columns[j], written[outside], lead, j
        rank += 1
    written[outside:] = ZERO
    known = np.zeros(WORDS, np.uint64)
    _write(target, known, vectors, made_of, leads, rank)
    if _lowest_bit(target) >= 0:
        return False
    least = bits + SLACK
    chosen = np.zeros(count, np.bool_)
    terms = np.zeros(WORDS, np.uint64)
    found = False
    for a in range(-1, outside):
        for b in range(-1, a if 0 < a < PAIRED else 0):
            total = ZERO
            for w in range(WORDS):
                terms[w] = known[w] ^ written[a if a >= 0 else none, w] ^ written[b if b >= 0 else none, w]
            total += weights[extras[a]] if a >= 0 else ZERO
            total += weights[extras[b]] if b >= 0 else ZERO
            for k in range(rank):
                if (terms[k >> 6] >> np.uint64(k & 63)) & ONE:
                    total += weights[basis[k]]
            if total & LOW_32 != check:
                continue
            for j in range(count):
                chosen[j] = (a >= 0 and extras[a] == j) or (b >= 0 and extras[b] == j)
            for k in range(rank):
                if (terms[k >> 6] >> np.uint64(k & 63)) & ONE:
                    chosen[basis[k]] = True
            surprise = _surprise(chosen, distance)
            if surprise <= least:
                least, found = surprise, True
                flips[:] = chosen
        if found and a < 0:
            return True
    return found


@part
def _columns(positions, steps, bits):
    """The columns of positions, cut to `bits`, and what a flip of each adds to the check."""
    columns = np.zeros((len(positions), WORDS), np.uint64)
    weights = np.zeros(len(positions), np.uint64)
    for j in range(len(positions)):
        counter = np.uint64(positions[j]) << TWO
        for w in range(WORDS):
            kept = min(max(bits - 64 * w, 0), 64)
            mask = (ONE << np.uint64(kept)) - ONE if kept < 64 else ~ZERO
            columns[j, w] = _mix(counter + np.uint64(w)) & mask
        weight = _mix(counter + THREE)
        weights[j] = weight if steps[j] > 0 else ZERO - weight
    return columns, weights


@part
def _write(column, terms, vectors, made_of, leads, rank):
    """Write `column` as a sum over the basis, `terms`; what cannot be written is left in it."""
    for w in range(WORDS):
        terms[w] = ZERO
    for k in range(rank):
        if (column[leads[k] >> 6] >> np.uint64(leads[k] & 63)) & ONE:
            for w in range(WORDS):
                column[w] ^= vectors[k, w]
                terms[w] ^= made_of[k, w]


@part
def _lowest_bit(column):
    """The number of the lowest bit that is set; -1 if none is."""
    for w in range(WORDS):
        if column[w]:
            bit = 0
            while not (column[w] >> np.uint64(bit)) & ONE:
                bit += 1
            return 64 * w + bit
    return -1


@part
def _surprise(chosen, distance):
    """-log2 of the probability of these flips, under the drift of 2^-26 to 2^-7 that makes them most likely.

    A flip has the probability 1 / (2 + 2 (distance / drift)^2). Drift is nearly Gaussian, but not equally strong
    everywhere; these tails allow for that.
    """
    least = np.inf
    for power in range(-26, -6):
        total = 0.0
        for j in range(len(chosen)):
            ratio = distance[j] / 2.0**power
            p = 0.5 / (1.0 + ratio * ratio)
            total -= np.log2(p if chosen[j] else 1.0 - p)
        least = min(least, total)
    return least
