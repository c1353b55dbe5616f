"""The loops of the rANS coder, compiled. `rans.py` checks what comes in here; these functions do not."""

from __future__ import annotations

import numpy as np

from codecspec.runtime.entropy_coding.compiled import compiled, part
from codecspec.runtime.entropy_coding.tables import ESCAPE, LOOKUP_BITS, PRECISION

STATE_BITS = 36
LOW = np.uint64(1 << (STATE_BITS - 16))
"""A state is LOW <= state < 2^STATE_BITS before each symbol; words of 16 bits keep it there."""
FULL_SHIFT = np.uint64(STATE_BITS - 16)
MAX_WORDS = 5
"""What an escaped value takes, at most."""
MARGIN = 2 * MAX_WORDS
"""So many words behind the end of the data may be read before that is noticed."""
BITS_BITS = np.uint64(6)
MAX_BITS = np.uint64(34)
PIECE = np.uint64(15)

ZERO, ONE, SIXTEEN = np.uint64(0), np.uint64(1), np.uint64(16)
COUNT = np.uint64(1 << 16)
MASK = COUNT - ONE
LOOKUP_SHIFT = np.uint64(PRECISION - LOOKUP_BITS)


@part
def _push(x, start, freq, words, pos):
    """Code the interval (start, freq) of 2^16 into a state."""
    full = np.uint64(x >= freq << FULL_SHIFT)
    words[pos - 1] = x & MASK
    pos -= np.int64(full)
    x >>= full * SIXTEEN
    # exact: x is under 2^36, so x / freq is off by less than 2^-17, and never that close to the integer above it
    quotient = np.uint64(np.int64(np.float64(np.int64(x)) / np.float64(np.int64(freq))))
    return x + quotient * (COUNT - freq) + start, pos


@part
def _push_bits(x, value, bits, words, pos):
    shift = SIXTEEN - bits
    return _push(x, value << shift, ONE << shift, words, pos)


@part
def _refill(x, words, pos):
    """A state that fell below LOW takes the next word; without a branch, which none could predict."""
    low = np.uint64(x < LOW)
    return (x << (low * SIXTEEN)) | (np.uint64(words[pos]) & (ZERO - low)), pos + np.int64(low)


@part
def _pull_bits(x, bits, words, pos):
    shift = SIXTEEN - bits
    x, pos, value = (x >> SIXTEEN << shift) | (x & ((ONE << shift) - ONE)), pos, (x & MASK) >> shift
    x, pos = _refill(x, words, pos)
    return x, value, pos


@part
def _push_outside(x, value, escape, words, pos):
    """Code a value below 0 or from `escape` on: the number of its bits, then they, in pieces of 15 at most."""
    folded = np.uint64(-2 * value if value < 0 else 2 * (value - escape) + 1)
    bits = ZERO
    while folded >> (bits + ONE):
        bits += ONE
    coded = ZERO
    while coded < bits:
        piece = min(bits - coded, PIECE)
        x, pos = _push_bits(x, (folded >> coded) & ((ONE << piece) - ONE), piece, words, pos)
        coded += piece
    return _push_bits(x, bits, BITS_BITS, words, pos)


@part
def _pull_outside(x, escape, words, pos):
    """The inverse of `_push_outside`."""
    x, bits, pos = _pull_bits(x, BITS_BITS, words, pos)
    rest = min(bits, MAX_BITS)
    folded = ONE
    while rest > 0:
        piece = (rest - ONE) % PIECE + ONE
        x, value, pos = _pull_bits(x, piece, words, pos)
        folded = (folded << piece) | value
        rest -= piece
    half = np.int64(folded >> ONE)
    return x, half + escape if folded & ONE else -half, pos


@part
def _pull_symbol(x, row, entries, lookup, words, pos):
    """The value of the next symbol; ESCAPE for an escape."""
    slot = x & MASK
    s = np.int64(lookup[(np.int64(row) << LOOKUP_BITS) | np.int64(slot >> LOOKUP_SHIFT)])
    entry = entries[s]
    behind = slot - ((entry >> SIXTEEN) & MASK)
    while behind >= entry & MASK:
        s += 1
        entry = entries[s]
        behind = slot - ((entry >> SIXTEEN) & MASK)
    x, pos = _refill((entry & MASK) * (x >> SIXTEEN) + behind, words, pos)
    return x, np.int64(entry) >> 32, pos


@compiled
def encode(symbols, indexes, starts, escapes, offsets, entries, states, words, pos, before):
    """Code `symbols` from the last to the first, into both states by turns.

    Args:
        symbols: int32 (n,).
        indexes: int32 (n,), rows.
        starts: int64 (rows,), of each row in `entries`.
        escapes: int32 (rows,), the symbol of each row that is its escape.
        offsets: int32 (rows,), the value of each row's first symbol.
        entries: uint64, see `CodingTables`.
        states: uint64 (2,), the one that codes next first; kept so.
        words: uint16, filled downwards from `pos`.
        pos: at least one more than the number of symbols left to code.
        before: symbols that are still to code after these.

    Returns:
        The new `pos`; negative if `words` is too short for so many escapes.
    """
    x, y = states[0], states[1]
    for i in range(len(symbols) - 1, -1, -1):
        row = indexes[i]
        value = np.int64(symbols[i]) - np.int64(offsets[row])
        if value < 0 or value >= escapes[row]:
            if pos < before + i + 1 + MAX_WORDS:
                return np.int64(-1)
            x, pos = _push_outside(x, value, np.int64(escapes[row]), words, pos)
            value = np.int64(escapes[row])
        entry = entries[starts[row] + value]
        x, pos = _push(x, (entry >> SIXTEEN) & MASK, entry & MASK, words, pos)
        x, y = y, x
    states[0], states[1] = x, y
    return pos


@compiled
def decode(words, end, pos, states, indexes, escapes, offsets, entries, lookup, out):
    """The inverse of `encode`, from the first symbol to the last.

    Args:
        words: uint16, with `MARGIN` more than the `end` that may be used.
        end: number of words.
        pos: of the next word.
        states: uint64 (2,), the one that decodes next first; kept so.
        indexes: int32 (n,), rows.
        escapes: as for `encode`.
        offsets: as for `encode`.
        entries: as for `encode`.
        lookup: int32, see `CodingTables`.
        out: int32 (n,), is filled.

    Returns:
        The new `pos`; negative if the words end early or hold no int32.
    """
    x, y = states[0], states[1]
    for i in range(len(indexes)):
        row = indexes[i]
        x, value, pos = _pull_symbol(x, row, entries, lookup, words, pos)
        if value == ESCAPE:
            x, value, pos = _pull_outside(x, np.int64(escapes[row]), words, pos)
            value += np.int64(offsets[row])
            if value != np.int64(np.int32(value)):
                return np.int64(-1)
        if pos > end:
            return np.int64(-1)
        out[i] = value
        x, y = y, x
    states[0], states[1] = x, y
    return pos
