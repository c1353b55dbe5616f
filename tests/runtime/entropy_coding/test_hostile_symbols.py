"""Bytes from anywhere into the coders: symbols or a StreamError, never a crash or a hang, and nothing beside arrays."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from codecspec.runtime.entropy_coding import compressai_coder, rans
from codecspec.schema.errors import StreamError
from tests.runtime.entropy_coding.example_tables import Int32, fixed_symbols, fixed_tables, random_tables

MUTANTS = 12_000
DECODERS = {"rans": rans.decode, "compressai": compressai_coder.decode}
ENCODERS = {"rans": rans.encode, "compressai": compressai_coder.encode}

Decode = Callable[..., Int32]


def mutant(rng: np.random.Generator, data: bytes) -> bytes:
    """`data` with a few bytes changed, cut, repeated, filled with one value, or replaced by noise."""
    changed = np.frombuffer(data, np.uint8).copy()
    start, end = sorted(rng.integers(0, len(changed) + 1, 2).tolist())
    kind = rng.integers(6)
    if kind == 0:
        changed[rng.integers(0, len(changed), 3)] ^= (1 << rng.integers(0, 8, 3)).astype(np.uint8)
    elif kind == 1:
        changed = changed[:start]
    elif kind == 2:
        changed = np.concatenate([changed[:end], changed[start:]])
    elif kind == 3:
        changed[start:end] = rng.choice([0, 255])
    elif kind == 4:
        changed = rng.integers(0, 256, end, dtype=np.uint8)
    else:
        changed[start:end] = rng.integers(0, 256, end - start, dtype=np.uint8)
    return changed.tobytes()


@pytest.mark.parametrize("name", DECODERS)
def test_mutants_give_symbols_or_a_stream_error(name: str) -> None:
    rng = np.random.default_rng(0)
    decode: Decode = DECODERS[name]
    symbols, rows = fixed_symbols(120)
    data = ENCODERS[name](symbols, rows, fixed_tables())
    others = [fixed_tables(), random_tables(rng, rows=4)]
    refused = same = 0
    for k in range(MUTANTS):
        changed = mutant(rng, data)
        wrong = rng.permutation(rows) if k % 3 == 0 else rows
        try:
            found = decode(changed, wrong, others[k % 2])
        except StreamError:
            refused += 1
        else:
            assert found.shape == rows.shape
            same += changed == data and np.array_equal(found, symbols)
    assert refused + same > 0.99 * MUTANTS, "only what changes the bits of an escaped value goes unnoticed"


@pytest.mark.parametrize("name", DECODERS)
def test_a_short_string_ends_a_long_decode_at_once(name: str) -> None:
    """Where the words end, decoding does: not after ten million symbols that no one coded."""
    rows = np.full(10_000_000, 3, np.int32)
    with pytest.raises(StreamError, match="end early"):
        DECODERS[name](b"\xff" * 8 + b"\xff\x00" * 2 if name == "compressai" else b"\xff" * 11, rows, fixed_tables())


def test_a_decoder_that_is_fed_nonsense_says_so() -> None:
    rng = np.random.default_rng(1)
    rows = np.zeros(50, np.int32)
    for _ in range(2000):
        decoder = rans.Decoder()
        for size in rng.integers(0, 12, 4).tolist():
            decoder.feed(rng.bytes(size))
        with pytest.raises(StreamError):
            decode_all(decoder, rows)


@pytest.mark.slow
def test_no_loop_leaves_its_arrays(tmp_path: Path) -> None:
    """All of this folder again, compiled with checked indexing: an index outside would be an IndexError."""
    checked = {**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-m",
        "not slow",
        "-p",
        "no:cacheprovider",
        str(Path(__file__).parent),
    ]
    result = subprocess.run(command, env=checked, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert result.returncode == 0, result.stdout[-3000:]


def decode_all(decoder: rans.Decoder, rows: Int32) -> None:
    decoder.decode(rows[:20], fixed_tables())
    decoder.decode(rows[20:], fixed_tables())
    decoder.finish()
