"""The loops of CompressAI's rANS coder, compiled, and bounded: its own writes and reads beside short buffers."""

from __future__ import annotations

import numpy as np

from codecspec.runtime.entropy_coding.compiled import compiled, part

LOW = np.uint64(1 << 31)
"""A state is LOW <= state < LOW << 32 before each symbol; words of 32 bits keep it there."""
MAX_WORDS = 11
"""What an escaped value takes, at most: its escape, 8 digits and their number."""
MARGIN = 12
"""So many words behind the end of the data may be read before that is noticed."""
ESCAPE = -(1 << 31)
"""The value that an entry of the tables gives the escape."""

ZERO, ONE, FOUR = np.uint64(0), np.uint64(1), np.uint64(4)
SIXTEEN, WORD = np.uint64(16), np.uint64(32)
MASK = np.uint64(0xFFFF)
DIGIT = np.uint64(15)
LOW_32 = np.uint64(0xFFFFFFFF)


@part
def _push(x, start, freq, words, pos):
    """Code the interval (start, freq) of 2^16 into the state."""
    if x >= freq << np.uint64(47):
        pos -= 1
        words[pos] = x & LOW_32
        x >>= WORD
    return (x // freq << SIXTEEN) + x % freq + start, pos


@part
def _push_digit(x, digit, words, pos):
    if x >= np.uint64(1 << 59):
        pos -= 1
        words[pos] = x & LOW_32
        x >>= WORD
    return x << FOUR | digit, pos


@part
def _pull_digit(x, words, pos):
    digit = x & DIGIT
    x >>= FOUR
    if x < LOW:
        x = x << WORD | np.uint64(words[pos])
        pos += 1
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
        x, pos = _push(x, (entry >> SIXTEEN) & MASK, entry & MASK, words, pos)
    words[pos - 1] = x >> WORD
    words[pos - 2] = x & LOW_32
    return pos - 2


@compiled
def decode(words, end, indexes, escapes, offsets, entries, lookup, out):
    """The inverse of `encode`: fills `out`; the arrays are those of `rans_kernels.decode`, `words` of uint32.

    Returns:
        Whether the words are what an encoder writes for these indexes, no more and no less.
    """
    x, pos = np.uint64(words[0]) | np.uint64(words[1]) << WORD, 2
    for i in range(len(indexes)):
        row = indexes[i]
        slot = x & MASK
        s = np.int64(lookup[(np.int64(row) << 8) | np.int64(slot >> np.uint64(8))])
        entry = entries[s]
        behind = slot - ((entry >> SIXTEEN) & MASK)
        while behind >= entry & MASK:
            s += 1
            entry = entries[s]
            behind = slot - ((entry >> SIXTEEN) & MASK)
        x = (entry & MASK) * (x >> SIXTEEN) + behind
        if x < LOW:
            x = x << WORD | np.uint64(words[pos])
            pos += 1
        value = np.int64(entry) >> 32
        if value == ESCAPE:
            x, digits, pos = _pull_digit(x, words, pos)
            if digits > 8:
                return False
            folded = ZERO
            for digit in range(np.int64(digits)):
                x, piece, pos = _pull_digit(x, words, pos)
                folded |= piece << (FOUR * np.uint64(digit))
            half = np.int64(folded >> ONE)
            value = (-half - 1 if folded & ONE else half + np.int64(escapes[row])) + np.int64(offsets[row])
        if pos > end:
            return False
        out[i] = np.int32(value)
    return pos == end and x == LOW
