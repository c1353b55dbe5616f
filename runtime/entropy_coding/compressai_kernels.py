"""The loops of CompressAI's rANS coder, compiled, and bounded: its own writes and reads beside short buffers."""

from __future__ import annotations

import numpy as np

from codecspec.runtime.entropy_coding.compiled import compiled, part
from codecspec.runtime.entropy_coding.tables import ESCAPE, LOOKUP_BITS, PRECISION

LOW = np.uint64(1 << 31)
"""A state is LOW <= state < LOW << 32 before each symbol; words of 32 bits keep it there."""
MAX_WORDS = 11
"""What an escaped value takes, at most: its escape, 8 digits and their number."""
MARGIN = 12
"""So many words behind the end of the data may be read before that is noticed."""

ZERO, ONE, FOUR = np.uint64(0), np.uint64(1), np.uint64(4)
SIXTEEN, WORD = np.uint64(16), np.uint64(32)
MASK = np.uint64(0xFFFF)
LOOKUP_SHIFT = np.uint64(PRECISION - LOOKUP_BITS)
DIGIT = np.uint64(15)
LOW_32 = np.uint64(0xFFFFFFFF)
FULL_SHIFT, FULL_DIGIT = np.uint64(47), np.uint64(1 << 59)
"""A state is full where it would reach 2^63: at `freq` << 47 before an interval of `freq`, at 2^59 before a digit."""


@part
def _spill(x, full, words, pos):
    """A state that is full gives its low word away."""
    spilled = np.uint64(full)
    words[pos - 1] = x & LOW_32
    return x >> (spilled * WORD), pos - np.int64(spilled)


@part
def _refill(x, words, pos):
    """A state that fell below LOW takes the next word."""
    low = np.uint64(x < LOW)
    return (x << (low * WORD)) | (np.uint64(words[pos]) & (ZERO - low)), pos + np.int64(low)


@part
def _push_digit(x, digit, words, pos):
    x, pos = _spill(x, x >= FULL_DIGIT, words, pos)
    return x << FOUR | digit, pos


@part
def _pull_digit(x, words, pos):
    digit = x & DIGIT
    x, pos = _refill(x >> FOUR, words, pos)
    return x, digit, pos


@compiled
def encode(symbols, indexes, starts, escapes, offsets, entries, words):
    """Code `symbols` from the last to the first; the arrays are those of `rans_kernels.encode`.

    Returns:
        The position in `words` (uint32, filled downwards) at which the string starts; negative if it is too short.
    """
    x, pos = LOW, len(words)
    for i in range(len(symbols) - 1, -1, -1):
        row = indexes[i]
        escape = np.int64(escapes[row])
        value = np.int64(np.int32(np.int64(symbols[i]) - np.int64(offsets[row])))
        if value < 0 or value >= escape:
            if pos < i + MAX_WORDS + 3:
                return np.int64(-1)
            folded = np.uint64(-2 * value - 1 if value < 0 else 2 * (value - escape))
            digits = ZERO
            while digits < 8 and folded >> (FOUR * digits):
                digits += ONE
            for digit in range(np.int64(digits) - 1, -1, -1):
                x, pos = _push_digit(x, (folded >> (FOUR * np.uint64(digit))) & DIGIT, words, pos)
            x, pos = _push_digit(x, digits, words, pos)
            value = escape
        entry = entries[starts[row] + value]
        freq = entry & MASK
        x, pos = _spill(x, x >= freq << FULL_SHIFT, words, pos)
        x = (x // freq << SIXTEEN) + x % freq + ((entry >> SIXTEEN) & MASK)
    words[pos - 1] = x >> WORD
    words[pos - 2] = x & LOW_32
    return pos - 2


@compiled
def decode(words, end, pos, states, indexes, escapes, offsets, entries, lookup, out):
    """The inverse of `encode`; as `rans_kernels.decode`, with `words` of uint32 and one state."""
    x = states[0]
    for i in range(len(indexes)):
        row = indexes[i]
        slot = x & MASK
        s = np.int64(lookup[(np.int64(row) << LOOKUP_BITS) | np.int64(slot >> LOOKUP_SHIFT)])
        entry = entries[s]
        behind = slot - ((entry >> SIXTEEN) & MASK)
        while behind >= entry & MASK:
            s += 1
            entry = entries[s]
            behind = slot - ((entry >> SIXTEEN) & MASK)
        x, pos = _refill((entry & MASK) * (x >> SIXTEEN) + behind, words, pos)
        value = np.int64(entry) >> 32
        if value == ESCAPE:
            x, digits, pos = _pull_digit(x, words, pos)
            if digits > 8:
                return np.int64(-1)
            folded = ZERO
            for digit in range(np.int64(digits)):
                x, piece, pos = _pull_digit(x, words, pos)
                folded |= piece << (FOUR * np.uint64(digit))
            half = np.int64(folded >> ONE)
            value = (-half - 1 if folded & ONE else half + np.int64(escapes[row])) + np.int64(offsets[row])
        if pos > end:
            return np.int64(-1)
        out[i] = np.int32(value)
    states[0] = x
    return pos
