"""The loops of the rANS coder, compiled. `rans.py` checks everything that comes in here; these functions do not."""

from __future__ import annotations

from typing import Any

import numpy as np

from codecspec.runtime.entropy_coding.compiled import compiled, part

Array = Any

EXTRA_BITS = 4
LOW = np.uint64(1 << (16 + EXTRA_BITS))
"""A state is kept in LOW <= state < LOW << 16."""
SHIFT = np.uint64(16 + EXTRA_BITS)
B16 = np.uint64(16)
MASK = np.uint64(0xFFFF)
LOOKUP_SHIFT = np.uint64(8)
CLASS_BITS = np.uint64(6)


@part
def _push(x, start, freq, words, pos):
    if x >= freq << SHIFT:
        pos -= 1
        words[pos] = x & MASK
        x >>= B16
    return ((x // freq) << B16) + x % freq + start, pos


@part
def _push_bits(x, value, bits, words, pos):
    shift = B16 - bits
    return _push(x, value << shift, np.uint64(1) << shift, words, pos)


@part
def _pull_bits(x, bits, words, pos):
    shift = B16 - bits
    value = (x & MASK) >> shift
    x = ((x >> B16) << shift) + (x & MASK) - (value << shift)
    if x < LOW:
        x = (x << B16) | np.uint64(words[pos])
        pos += 1
    return x, value, pos


@part
def _push_escape(x, value, symbols, words, pos):
    """`value` lies below 0 or from `symbols` on, `symbols` being the row's number of symbols."""
    folded = np.uint64(-2 * value - 1 if value < 0 else 2 * (value - symbols)) + np.uint64(1)
    bits = np.uint64(0)
    while folded >> (bits + np.uint64(1)):
        bits += np.uint64(1)
    rest = bits
    while rest > 0:
        step = min(rest, B16 - np.uint64(1))
        x, pos = _push_bits(x, (folded >> (bits - rest)) & ((np.uint64(1) << step) - np.uint64(1)), step, words, pos)
        rest -= step
    return _push_bits(x, bits, CLASS_BITS, words, pos)


@part
def _pull_escape(x, symbols, words, end, pos):
    x, bits, pos = _pull_bits(x, CLASS_BITS, words, pos)
    if bits > 34 or pos > end:
        return x, np.int64(0), end + 1
    folded = np.uint64(1)
    rest = bits
    while rest > 0:
        step = rest % (B16 - np.uint64(1))
        step = B16 - np.uint64(1) if step == 0 else step
        x, piece, pos = _pull_bits(x, step, words, pos)
        if pos > end:
            return x, np.int64(0), end + 1
        folded = (folded << step) | piece
        rest -= step
    folded -= np.uint64(1)
    if folded & np.uint64(1):
        return x, -np.int64(folded >> np.uint64(1)) - 1, pos
    return x, np.int64(folded >> np.uint64(1)) + symbols, pos


@compiled
def encode(symbols, indexes, starts, escapes, offsets, cumulative, states, phase, words, pos):
    """Code `symbols` from the last to the first; symbol i goes to state (phase + i) mod the number of states.

    `words` is filled downwards from `pos`; returns the new `pos`.
    """
    turn = len(states) - 1
    for i in range(len(symbols) - 1, -1, -1):
        row = indexes[i]
        k = (phase + i) & turn
        x = states[k]
        escape = np.int64(escapes[row])
        value = np.int64(symbols[i]) - offsets[row]
        if value < 0 or value >= escape:
            x, pos = _push_escape(x, value, escape, words, pos)
            value = escape
        at = starts[row] + value
        low = np.uint64(cumulative[at])
        x, pos = _push(x, low, np.uint64(cumulative[at + 1]) - low, words, pos)
        states[k] = x
    return pos


@compiled
def decode(words, end, pos, states, phase, indexes, starts, escapes, offsets, cumulative, lookup, out):
    """Fill `out`; returns the new position in `words`, or one behind `end` where the data cannot be.

    `words` has room to read a few words behind `end`.
    """
    turn = len(states) - 1
    for i in range(len(indexes)):
        row = indexes[i]
        k = (phase + i) & turn
        x = states[k]
        slot = x & MASK
        at = starts[row]
        s = at + np.int64(lookup[(np.int64(row) << 8) + np.int64(slot >> LOOKUP_SHIFT)])
        while np.uint64(cumulative[s + 1]) <= slot:
            s += 1
        low = np.uint64(cumulative[s])
        x = (np.uint64(cumulative[s + 1]) - low) * (x >> B16) + slot - low
        if x < LOW:
            x = (x << B16) | np.uint64(words[pos])
            pos += 1
        value = np.int64(s - at)
        if value == escapes[row]:
            x, value, pos = _pull_escape(x, value, words, end, pos)
            value += offsets[row]
            if value < -0x80000000 or value > 0x7FFFFFFF:
                return end + 1
        else:
            value += offsets[row]
        if pos > end:
            return end + 1
        out[i] = value
        states[k] = x
    return pos
