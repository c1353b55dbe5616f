"""Syndromes: a decoder whose scales drifted finds the encoder's indexes, or says that it cannot."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from numpy.typing import NDArray

from codecspec.runtime.entropy_coding.scale_index import scale_indexes
from codecspec.runtime.entropy_coding.syndromes import reconcile, symbols_check, syndrome_size, syndromes
from codecspec.schema.errors import StreamError
from tests.runtime.entropy_coding.example_tables import gaussian

Float32 = NDArray[np.float32]
Int32 = NDArray[np.int32]
TABLE = gaussian().scale_table.numpy()
SIZES = [1, 2, 31, 300, 4096, 4097, 49_152, 65_536, 65_537, 200_001]


def scales_of(count: int, seed: int = 0) -> Float32:
    """Raw scales, a quarter of them below the lower bound."""
    rng = np.random.default_rng(seed)
    return np.exp(rng.uniform(np.log(0.04), np.log(8), count)).astype(np.float32)


def drifted(scales: Float32, rms: float, seed: int = 1) -> Float32:
    noise = 1 + rms * np.random.default_rng(seed).normal(size=len(scales))
    return (scales * noise).astype(np.float32)


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize("rms", [0, 1e-6, 1e-5, 3e-5])
def test_drift_is_undone(count: int, rms: float) -> None:
    for seed in range(3):
        scales = scales_of(count, seed)
        indexes = scale_indexes(scales, TABLE)
        data = syndromes(indexes)
        assert len(data) == syndrome_size(count)
        assert np.array_equal(reconcile(drifted(scales, rms, seed + 9), TABLE, data), indexes)


def test_drift_flips_what_is_then_undone() -> None:
    """The test above would say nothing of scales that no drift moves."""
    scales = scales_of(200_001)
    assert (scale_indexes(drifted(scales, 3e-5), TABLE) != scale_indexes(scales, TABLE)).sum() > 20


@pytest.mark.parametrize("row", [0, 1, 30, 62])
def test_flips_across_a_boundary_are_found_both_ways(row: int) -> None:
    """Also at the first boundary, which is the lower bound, and at the last."""
    rng = np.random.default_rng(row)
    middles = np.sqrt(TABLE[5:40] * TABLE[6:41])
    scales = rng.choice(middles, 10_000).astype(np.float32)
    places = rng.choice(len(scales), 24, replace=False)
    below, above = TABLE[row], np.nextafter(TABLE[row], np.float32(np.inf))
    scales[places] = [below, above] * 12
    there = scales.copy()
    there[places] = rng.permutation(there[places])
    indexes = scale_indexes(scales, TABLE)
    assert set(indexes[places].tolist()) == {row, row + 1}
    assert (scale_indexes(there, TABLE) != indexes).any()
    assert np.array_equal(reconcile(there, TABLE, syndromes(indexes)), indexes)


def test_a_lower_bound_between_boundaries_is_never_crossed() -> None:
    bound = float(TABLE[9] + TABLE[10]) / 2
    scales = np.full(3000, TABLE[9], np.float32)
    scales[7] = TABLE[12]
    there = scales.copy()
    there[7] = np.nextafter(TABLE[12], np.float32(9))
    indexes = scale_indexes(scales, TABLE, bound)
    assert indexes.min() == 10
    assert np.array_equal(reconcile(there, TABLE, syndromes(indexes), bound), indexes)


def test_scales_that_are_none_are_no_candidates() -> None:
    scales = scales_of(3000)
    scales[::5] = [np.nan, np.inf, -np.inf, -1.0, 0.0] * 120
    scales[11] = TABLE[20]
    there = scales.copy()
    there[11] = np.nextafter(TABLE[20], np.float32(9))
    indexes = scale_indexes(scales, TABLE)
    assert np.array_equal(reconcile(there, TABLE, syndromes(indexes)), indexes)


def outcome(scales: Float32, data: bytes, indexes: Int32) -> str:
    try:
        found = reconcile(scales, TABLE, data, where="slice 3")
    except StreamError as refused:
        assert refused.where == "slice 3"
        return "refused"
    return "right" if np.array_equal(found, indexes) else "wrong"


@pytest.mark.parametrize(("rms", "allowed"), [(3e-4, {"refused", "right"}), (1e-3, {"refused"}), (0.1, {"refused"})])
def test_drift_beyond_repair_is_noticed(rms: float, allowed: set[str]) -> None:
    found = set()
    for seed in range(60):
        scales = scales_of(20_000, seed)
        indexes = scale_indexes(scales, TABLE)
        found.add(outcome(drifted(scales, rms, seed + 99), syndromes(indexes), indexes))
    assert found <= allowed


def test_changed_syndromes_are_noticed() -> None:
    scales = scales_of(9000)
    indexes = scale_indexes(scales, TABLE)
    data = syndromes(indexes)
    for bit in range(8 * len(data)):
        changed = (int.from_bytes(data, "little") ^ 1 << bit).to_bytes(len(data), "little")
        assert outcome(scales, changed, indexes) == "refused"
    rng = np.random.default_rng(0)
    assert {outcome(scales, rng.bytes(len(data)), indexes) for _ in range(100)} == {"refused"}


def test_an_index_that_is_two_rows_off_is_noticed() -> None:
    scales = scales_of(5000)
    indexes = scale_indexes(scales, TABLE)
    indexes[77] += 2
    assert outcome(scales, syndromes(indexes), indexes) == "refused"


def test_other_lengths_are_refused() -> None:
    scales = scales_of(5000)
    data = syndromes(scale_indexes(scales, TABLE))
    for wrong in (b"", data[:-1], data + b"a"):
        with pytest.raises(StreamError, match=f"{len(wrong)} bytes of syndromes; 5000 scales have {len(data)}"):
            reconcile(scales, TABLE, wrong)


def test_sizes() -> None:
    assert [syndrome_size(count) for count in (0, 1, 4096, 4097, 49_152, 65_536)] == [0, 6, 6, 7, 17, 21]
    assert syndrome_size(131_072) == 2 * syndrome_size(65_536)
    assert 10 * 8 * syndrome_size(49_152) < 0.01 * 0.5 * 512 * 768


def test_nothing_needs_nothing() -> None:
    none = np.zeros(0, np.float32)
    assert syndromes(none.astype(np.int32)) == b""
    assert len(reconcile(none, TABLE, b"")) == 0


def split_mix(number: int) -> int:
    mask = 2**64 - 1
    z = (number + 1) * 0x9E3779B97F4A7C15 & mask
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & mask
    z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
    return z ^ z >> 31


def test_the_description_is_enough_to_write_syndromes() -> None:
    indexes = np.random.default_rng(0).integers(0, 64, 5000).astype(np.int32)
    syndrome = check = 0
    for j, index in enumerate(indexes.tolist()):
        column = sum(split_mix(4 * j + w) << (64 * w) for w in range(3))
        syndrome ^= column * (index % 2)
        check += index * split_mix(4 * j + 3)
    expected = (syndrome % 2**24).to_bytes(3, "little") + (check % 2**32).to_bytes(4, "little")
    assert syndromes(indexes) == expected


def test_the_check_of_symbols_is_their_crc() -> None:
    symbols = np.array([1, -2, 2**31 - 1], np.int32)
    assert symbols_check(symbols) == zlib.crc32(b"\1\0\0\0\xfe\xff\xff\xff\xff\xff\xff\x7f")


def test_arguments_are_checked() -> None:
    with pytest.raises(TypeError, match="indexes"):
        syndromes(np.zeros(3))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="scales"):
        reconcile(np.zeros(3), TABLE, bytes(6))  # type: ignore[arg-type]
