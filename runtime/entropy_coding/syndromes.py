"""Syndromes: how a decoder whose scales differ in their last bits finds the table indexes that the encoder used.

A scale that lies next to a boundary between two coding tables may fall on its other side where the decoder runs, and
one wrong table turns the rest of a stream to noise. Which scales do, the encoder cannot know. So it adds for each block
of a slice's indexes the XOR of fixed pseudo-random columns, one for each odd index: a syndrome. Flips change parities,
so the XOR of the two sides' syndromes is the sum of the flipped positions' columns, and since flips are few and next to
a boundary, the decoder can tell which they are by linear algebra over its nearest positions.

A block has at most 2^16 indexes, and those of a slice are of equal size, +-1. It is written as

    syndrome   8 * (1 + ceil(size / 4096)) bits, little-endian: the low bits of the XOR of the columns of odd indexes
    check      u32: the sum of index times weight, modulo 2^32

where the column of position j of a block is the outputs 4j, 4j + 1 and 4j + 2 of SplitMix64 seeded with 0, the first
in the low bits, and its weight is the output 4j + 3.

Distances to the nearest boundary are measured on the raw scales, relative to the boundary; `flip_search.py` says how
flips are found.

**How improbable wrong indexes are.** In a block that differs, fewer than 1 + 256 + 64 * 63 / 2 < 2^12 explanations are
tried, and a wrong one satisfies the check once in 2^32: a block that drifted beyond repair passes for another one with
a probability under 2^-20, were they all likely. They are not: under each of 20 drifts at most 2^(b + 4) sets of flips
take b + 4 bits or fewer, and one in 2^b of those has a given syndrome of b bits, so that on average 320 of the tried
are likely, and fewer than 2^-23 blocks pass. A block that does not differ is wrong only where its drift has a syndrome
and a check of zero: 2^-48 and less.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from codecspec.runtime.entropy_coding.flip_search import NUM_OUTSIDE, Candidates, find_flips
from codecspec.runtime.entropy_coding.scale_index import LOWER_BOUND, Boundaries, Float32, boundaries, scale_indexes
from codecspec.runtime.entropy_coding.tables import Int32, require_floats, require_integers
from codecspec.schema.errors import StreamError

MAX_BLOCK = 1 << 16
POSITIONS_PER_BYTE = 4096
CHECK_BYTES = 4


def syndrome_size(num_indexes: int) -> int:
    """Bytes of the syndromes of a slice."""
    return sum(_syndrome_bytes(end - start) + CHECK_BYTES for start, end in _blocks(num_indexes))


def syndromes(indexes: Int32) -> bytes:
    """What a decoder needs to find `indexes`, int32 (n,), from scales that drifted: `syndrome_size(n)` bytes."""
    indexes = require_integers(indexes, "indexes")
    records: list[bytes] = []
    for start, end in _blocks(len(indexes)):
        syndrome, check = _sums(indexes[start:end])
        records.append(
            syndrome.to_bytes(_syndrome_bytes(end - start), "little") + check.to_bytes(CHECK_BYTES, "little")
        )
    return b"".join(records)


def reconcile(
    raw_scales: Float32,
    scale_table: Float32,
    data: bytes | memoryview,
    lower_bound: float = LOWER_BOUND,
    *,
    where: str = "scales",
) -> Int32:
    """The encoder's table indexes, int32 (n,), from the decoder's scales.

    Args:
        raw_scales: float32 (n,), before their lower bound: bounded ones all sit on the first boundary.
        scale_table: float32 (L,).
        data: the encoder's `syndromes`.
        lower_bound: of scales.
        where: names the slice in errors.

    Raises:
        StreamError: no likely set of flips explains the syndromes.
    """
    raw_scales = require_floats(raw_scales, "scales")
    size = syndrome_size(len(raw_scales))
    if len(data) != size:
        raise StreamError("E-stream", where, f"{len(data)} bytes of syndromes; {len(raw_scales)} scales have {size}")
    indexes = scale_indexes(raw_scales, scale_table, lower_bound)
    table = boundaries(scale_table, lower_bound)
    position = 0
    for start, end in _blocks(len(indexes)):
        middle = position + _syndrome_bytes(end - start)
        theirs = int.from_bytes(data[position:middle], "little")
        position = middle + CHECK_BYTES
        their_check = int.from_bytes(data[middle:position], "little")
        ours, our_check = _sums(indexes[start:end])
        difference = ours ^ theirs, (their_check - our_check) % (1 << 32)
        if difference == (0, 0):
            continue
        flips, steps = _flips(raw_scales[start:end], indexes[start:end], table, difference)
        if not len(flips):
            message = "the scales differ from the encoder's by more than the syndromes can repair"
            hint = "decode on the machine, or in the mode, that the image was coded with"
            raise StreamError("E-stream", where, message, hint)
        indexes[start:end][flips] += steps
    return indexes


def symbols_check(symbols: Int32) -> int:
    """32 bits over decoded symbols, int32 (n,), to compare with the encoder's: CRC-32 of them as little-endian i32."""
    return zlib.crc32(symbols.astype("<i4").tobytes())


def _blocks(num_indexes: int) -> Iterator[tuple[int, int]]:
    blocks = -(-num_indexes // MAX_BLOCK)
    for k in range(blocks):
        yield num_indexes * k // blocks, num_indexes * (k + 1) // blocks


def _syndrome_bytes(block: int) -> int:
    return 1 + -(-block // POSITIONS_PER_BYTE)


def _sums(block: Int32) -> tuple[int, int]:
    """The syndrome and the check of a block's indexes."""
    from codecspec.runtime.entropy_coding import syndrome_kernels

    words = np.zeros(syndrome_kernels.WORDS, np.uint64)
    check = int(syndrome_kernels.sum_columns(block, words))
    return _number(words, 8 * _syndrome_bytes(len(block))), check


def _number(words: NDArray[np.uint64], bits: int) -> int:
    return int.from_bytes(words.astype("<u8").tobytes(), "little") & ((1 << bits) - 1)


def _flips(
    scales: Float32, indexes: Int32, table: Boundaries, difference: tuple[int, int]
) -> tuple[NDArray[np.int64], Int32]:
    """The flipped positions of a block, and what to add to their indexes; none where nothing explains the differences.

    `difference` is that of the syndromes, and that of the checks.
    """
    from codecspec.runtime.entropy_coding import syndrome_kernels

    bits = 8 * _syndrome_bytes(len(scales))
    signed = np.empty(len(scales), np.float32)
    counts = syndrome_kernels.distances(scales, indexes, table.bits.view(np.float32), table.lowest_row, signed)
    near = _nearest(np.abs(signed), counts, bits + NUM_OUTSIDE)
    steps = np.where(signed[near] < 0, -1, 1)
    outputs = np.empty((len(near), syndrome_kernels.WORDS + 1), np.uint64)
    syndrome_kernels.columns(near, outputs)
    columns = (_number(row, bits) for row in outputs[:, :-1])
    weights = outputs[:, -1] * steps.astype(np.uint64)
    flips = find_flips(Candidates(columns, weights, np.abs(signed[near]).astype(np.float64)), bits, *difference)
    return near[flips], steps[flips].astype(np.int32)


def _nearest(distance: Float32, counts: NDArray[np.int64], wanted: int) -> NDArray[np.int64]:
    """The positions of the least finite distances, nearest first; `counts` says how many have each exponent."""
    exponent = min(int(np.searchsorted(np.cumsum(counts), wanted)), 254)
    near = np.flatnonzero(distance.view(np.int32) < (exponent + 1) << 23)
    return near[np.argsort(distance[near], kind="stable")][:wanted].astype(np.int64)
