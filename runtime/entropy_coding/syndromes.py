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

**How flips are found.** Relative distances to the nearest boundary are measured on the raw scales. The columns of the
nearest positions that are independent, as many as a syndrome has bits, form a basis; in it every difference is one sum:
the first explanation. Each of the next positions, and each pair of the next 64, gives another. An explanation is taken
if it satisfies the check and names the flips in at most as many bits as the syndrome has, and 4: the most likely one.

**How improbable a false one is.** At most 1 + 256 + 64 * 63 / 2 < 2^12 explanations are tried in a block, and a wrong
one satisfies the check once in 2^32: a block that drifted beyond repair is detected but for 2^-20, were all of them
likely. They are not: there are at most 20 * 2^(b + 4) flips that can be named in b + 4 bits under one of 20 drifts, of
which one in 2^b has the right syndrome, so on average at most 320 likely ones are wrong, and fewer than 2^-23 pass.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from codecspec.runtime.entropy_coding.scale_index import LOWER_BOUND, Float32, Int32, boundaries, scale_indexes
from codecspec.schema.errors import StreamError

MAX_BLOCK = 1 << 16
POSITIONS_PER_BYTE = 4096
CHECK_BYTES = 4
NUM_OUTSIDE = 256
"""So many positions beyond the bits of a syndrome are candidates."""


def syndrome_size(num_indexes: int) -> int:
    """Bytes of the syndromes of a slice."""
    return sum(_syndrome_bytes(end - start) + CHECK_BYTES for start, end in _blocks(num_indexes))


def syndromes(indexes: Int32) -> bytes:
    """What a decoder needs to find `indexes`, int32 (n,), from scales that drifted: `syndrome_size(n)` bytes."""
    records = []
    for start, end in _blocks(len(indexes)):
        syndrome, check = _sums(indexes[start:end])
        records += [syndrome.tobytes(), check.to_bytes(CHECK_BYTES, "little")]
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
    size = syndrome_size(len(raw_scales))
    if len(data) != size:
        raise StreamError("E-stream", where, f"{len(data)} bytes of syndromes; {len(raw_scales)} scales have {size}")
    indexes = scale_indexes(raw_scales, scale_table, lower_bound)
    position = 0
    for start, end in _blocks(len(indexes)):
        middle = position + _syndrome_bytes(end - start)
        theirs = np.frombuffer(data[position:middle], np.uint8)
        position = middle + CHECK_BYTES
        their_check = int.from_bytes(data[middle:position], "little")
        ours, our_check = _sums(indexes[start:end])
        if our_check == their_check and np.array_equal(ours, theirs):
            continue
        candidates = _candidates(raw_scales[start:end], indexes[start:end], scale_table, lower_bound, 8 * len(ours))
        flips, steps = _flips(*candidates, ours ^ theirs, (their_check - our_check) & 0xFFFFFFFF)
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


def _sums(block: Int32) -> tuple[NDArray[np.uint8], int]:
    """The syndrome and the check of a block's indexes."""
    from codecspec.runtime.entropy_coding import syndrome_kernels

    words = np.zeros(syndrome_kernels.WORDS, np.uint64)
    check = int(syndrome_kernels.sum_columns(block, words))
    return words.astype("<u8").view(np.uint8)[: _syndrome_bytes(len(block))], check


Candidates = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]


def _candidates(scales: Float32, indexes: Int32, scale_table: Float32, lower_bound: float, bits: int) -> Candidates:
    """The positions nearest to a boundary, nearest first, the steps of their flips, and their distances."""
    from codecspec.runtime.entropy_coding import syndrome_kernels

    table = boundaries(scale_table, lower_bound)
    signed = np.empty(len(scales), np.float32)
    counts = syndrome_kernels.distances(scales, indexes, table.bits.view(np.float32), table.lowest_row, signed)
    wanted = bits + NUM_OUTSIDE
    distance = np.abs(signed)
    exponent = min(int(np.searchsorted(np.cumsum(counts), wanted)), 254)
    near = np.flatnonzero(distance.view(np.int32) < np.int32((exponent + 1) << 23))
    near = near[np.argsort(distance[near], kind="stable")][:wanted]
    return near, np.where(signed[near] < 0, -1, 1).astype(np.int64), distance[near].astype(np.float64)


def _flips(
    positions: NDArray[np.int64],
    steps: NDArray[np.int64],
    distance: NDArray[np.float64],
    difference: NDArray[np.uint8],
    check: int,
) -> tuple[NDArray[np.int64], Int32]:
    """The flipped positions and their steps; none where nothing explains the differences."""
    from codecspec.runtime.entropy_coding import syndrome_kernels

    target = np.zeros(8 * syndrome_kernels.WORDS, np.uint8)
    target[: len(difference)] = difference
    flips = np.zeros(len(positions), np.bool_)
    words = target.view("<u8").astype(np.uint64)
    syndrome_kernels.solve(positions, steps, distance, words, np.uint64(check), 8 * len(difference), flips)
    return positions[flips], steps[flips].astype(np.int32)
