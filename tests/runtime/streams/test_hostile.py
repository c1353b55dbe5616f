"""Streams from outside are hostile: 20,000 mutants end in a StreamError, quickly, and in little memory."""

from __future__ import annotations

import random
import resource
import time
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import codecspec as cs
from codecspec.cli.codecspec import main
from codecspec.runtime.codec import Codec
from codecspec.runtime.streams.bytes_reader import varint
from codecspec.runtime.streams.container import CODERS, PROFILES, Chunk, Picture, Stream
from codecspec.runtime.streams.image_streams import encode_image
from codecspec.schema.errors import StreamError
from tests.runtime.small_codecs import images, small
from tests.runtime.streams.instrumented import with_sane_scales

NAMES = ("mbt2018-mean", "elic", "cheng2020-anchor", "wacnn")
NUM_MUTANTS = 20_000
MAX_SECONDS, MAX_MEGABYTES = 2.0, 300
LIES = (0, 1, 7, 64, 255, 4096, 65_535, 65_536, 2**31 - 1, 2**31, 2**32 - 1, 2**35 - 1)


def sealed(body: bytes) -> bytes:
    return body + zlib.crc32(body).to_bytes(4, "little")


def flipped(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        changed[rng.randrange(len(changed))] ^= rng.randrange(1, 256)
    return bytes(changed)


def cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def spliced(data: bytes, rng: random.Random) -> bytes:
    at, start = rng.randrange(len(data)), rng.randrange(len(data))
    piece = data[start : start + rng.randrange(1, 40)]
    return data[:at] + piece + data[at + rng.choice((0, len(piece))) :]


def lying(data: bytes, rng: random.Random) -> bytes:
    """A number written anywhere behind the digests, where widths, heights, counts and lengths are."""
    at = rng.randrange(35, 60)
    return data[:at] + varint(rng.choice(LIES)) + data[at + rng.choice((1, 2, 3)) :]


CHANGES = (flipped, cut, spliced, lying)


def byte_mutants(streams: list[Stream], rng: random.Random) -> Iterator[bytes]:
    while True:
        data = rng.choice(streams).to_bytes()
        changed = rng.choice(CHANGES)(data, rng)
        yield sealed(changed[:-4]) if rng.random() < 0.5 and len(changed) > 4 else changed


def sealed_mutants(streams: list[Stream], rng: random.Random) -> Iterator[bytes]:
    """By someone who knows the format, and makes every checksum of bytes again."""
    while True:
        stream = rng.choice(streams)
        chunks = list(stream.chunks)
        k = rng.randrange(len(chunks))
        kind = rng.randrange(4)
        if kind == 0 and chunks[k].data:
            chunks[k] = replace(chunks[k], data=rng.choice((flipped, cut, spliced))(chunks[k].data, rng))
        elif kind == 1:
            sides = [rng.choice((1, 2, 63, 65, 640, 5000, 9000, 65_535)) for _ in range(2)]
            stream = replace(stream, header=replace(stream.header, picture=Picture(*sides)))
        elif kind == 2:
            other = rng.choice(streams)
            chunks[k] = Chunk(chunks[k].part, rng.choice(other.chunks).data)
        else:
            changes = {"coder": rng.choice(CODERS), "profile": rng.choice(PROFILES)}
            stream = replace(stream, header=replace(stream.header, **changes))
        yield replace(stream, chunks=tuple(chunks)).to_bytes()


@pytest.fixture(scope="module")
def models() -> list[tuple[Codec, list[Stream]]]:
    made = []
    for name in NAMES:
        codec = with_sane_scales(small(name))
        x = images(1, 64, 100)
        streams = [encode_image(codec, x, coder=coder, profile="exact") for coder in CODERS]
        streams += [encode_image(codec, x, coder=coder) for coder in CODERS]
        streams.append(encode_image(codec, images(1, 33, 20)))
        made.append((codec, streams))
    return made


def outcome(codec: Codec, data: bytes) -> str:
    """`refused` or `decoded`, within the time that there is."""
    start = time.perf_counter()
    try:
        image = cs.decode(codec, data)
    except StreamError as error:
        assert len(error.problems) == 1
        assert error.code in ("E-stream", "E-stream-drift", "E-stream-model", "E-latent")
        found = "refused"
    else:
        assert image.isfinite().all()
        found = "decoded"
    assert time.perf_counter() - start < MAX_SECONDS
    return found


def run(models: list[tuple[Codec, list[Stream]]], number: int, seed: int) -> dict[str, int]:
    rng = random.Random(seed)
    counts = {"refused": 0, "decoded": 0}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for codec, streams in models:
        originals = {stream.to_bytes() for stream in streams}
        sources = [byte_mutants(streams, rng), sealed_mutants(streams, rng)]
        for i in range(number // len(models)):
            data = next(sources[i % 2])
            if data not in originals:
                counts[outcome(codec, data)] += 1
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < MAX_MEGABYTES
    return counts


def test_a_thousand_mutants_are_refused(models: list[tuple[Codec, list[Stream]]]) -> None:
    counts = run(models, 1000, seed=0)
    assert counts["decoded"] == 0
    assert counts["refused"] > 900


@pytest.mark.slow
def test_20_000_mutants_are_refused(models: list[tuple[Codec, list[Stream]]]) -> None:
    counts = run(models, NUM_MUTANTS, seed=1)
    assert counts["decoded"] == 0
    assert counts["refused"] > 0.9 * NUM_MUTANTS


def test_no_output_file_appears(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Through the command, for a few of each kind."""
    codec = small("mbt2018-mean")
    cs.save(codec, tmp_path / "m.safetensors")
    stream = encode_image(codec, images(1, 64, 64))
    rng = random.Random(2)
    folder = tmp_path / "mutants"
    folder.mkdir()
    for i in range(20):
        source = byte_mutants([stream], rng) if i % 2 else sealed_mutants([stream], rng)
        data = next(data for data in source if data != stream.to_bytes())
        (folder / f"{i}.csp").write_bytes(data)
    arguments = ["decompress", folder, "-m", tmp_path / "m.safetensors", "-o", tmp_path / "out"]
    monkeypatch.setattr("sys.argv", ["codecspec", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert "20 of 20 files failed" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
