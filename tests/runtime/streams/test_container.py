"""The container: exact bytes, there and back, and every kind of damage refused as E-stream."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codecspec.runtime.streams.bytes_reader import BytesReader, varint
from codecspec.runtime.streams.container import (
    CODERS,
    MAX_CHUNKS,
    MAX_SIDE,
    PARTS,
    PROFILES,
    Chunk,
    Header,
    Model,
    Picture,
    Stream,
)
from codecspec.schema.errors import StreamError

MODEL = Model(bytes.fromhex("0011223344556677"), b"weights!", b"tables!!")
STREAM = Stream(
    Header(MODEL, Picture(height=0x0102, width=0x0304, channels=1, bit_depth=16), multiple=64, coder="compressai"),
    chunks=(Chunk("z", b"first"), Chunk("y, anchors", b""), Chunk("y, the rest", b"\x00\xff")),
)
TINY = Header(MODEL, Picture(1, 1), 1)
GOLDEN = bytes.fromhex(
    "43535043"  # CSPC
    "01"  # version
    "01"  # coder: compressai
    "01"  # profile: portable
    "00"  # numerics: reference
    "00"  # padding: edge
    "01"  # channels
    "10"  # bits a sample
    "0011223344556677"  # spec
    "7765696768747321"  # weights
    "7461626c65732121"  # tables
    "8406"  # width
    "8202"  # height
    "40"  # sides are multiples of
    "03"  # chunks
    "28" "57ee7192"  # z, 5 bytes, its CRC-32
    "02" "00000000"  # y, anchors, 0 bytes
    "13" "72fddb6c"  # y, the rest, 2 bytes
    "6669727374" "00ff"  # the chunks
    "059f57f3"  # CRC-32 of all that
)  # fmt: skip
WIDTH_AT = 35
NUM_CHUNKS_AT = 40
TABLE_AT = 41


def sealed(body: bytes) -> bytes:
    """A body with the checksum that it should have."""
    return body + zlib.crc32(body).to_bytes(4, "little")


def patched(offset: int, replacement: bytes, size: int | None = None) -> bytes:
    """The golden stream with `size` bytes replaced, and a checksum of the whole that holds."""
    body = GOLDEN[:-4]
    return sealed(body[:offset] + replacement + body[offset + (len(replacement) if size is None else size) :])


def refused(data: bytes) -> StreamError:
    with pytest.raises(StreamError, match="E-stream at byte") as caught:
        Stream.from_bytes(data)
    assert caught.value.code == "E-stream"
    assert len(caught.value.problems) == 1
    return caught.value


def test_exact_bytes() -> None:
    assert STREAM.to_bytes().hex() == GOLDEN.hex()
    assert Stream.from_bytes(GOLDEN) == STREAM


def test_the_golden_stream_can_be_sealed_again() -> None:
    """What the tests of damage with a good checksum rest on."""
    assert patched(0, b"") == GOLDEN


digests = st.binary(min_size=8, max_size=8)
sides = st.integers(1, MAX_SIDE)
pictures = st.builds(Picture, sides, sides, st.integers(1, 9), st.integers(1, 16))
headers = st.builds(
    Header,
    model=st.builds(Model, digests, digests, digests),
    picture=pictures,
    multiple=sides,
    coder=st.sampled_from(CODERS),
    profile=st.sampled_from(PROFILES),
)
chunks = st.builds(Chunk, st.sampled_from(PARTS), st.binary(max_size=40))
streams = st.builds(Stream, headers, st.lists(chunks, min_size=1, max_size=30).map(tuple))


@given(streams)
def test_there_and_back_is_the_identity(stream: Stream) -> None:
    data = stream.to_bytes()
    assert Stream.from_bytes(data) == stream
    assert Stream.from_bytes(data).to_bytes() == data


@given(streams)
def test_the_overhead_is_at_most_64_bytes_and_8_per_chunk(stream: Stream) -> None:
    assert stream.overhead_bytes == len(stream.to_bytes()) - sum(len(chunk.data) for chunk in stream.chunks)
    assert stream.overhead_bytes <= 64 + 8 * len(stream.chunks)


def test_chunks_of_megabytes_take_8_bytes_too() -> None:
    stream = Stream(Header(MODEL, Picture(MAX_SIDE, MAX_SIDE), MAX_SIDE), (Chunk("y", bytes(32 << 20)),) * 3)
    assert stream.overhead_bytes <= 64 + 8 * 3


@given(streams, st.data())
def test_damage_to_any_stream_is_noticed(stream: Stream, draw: st.DataObject) -> None:
    data = bytearray(stream.to_bytes())
    data[draw.draw(st.integers(0, len(data) - 1))] ^= draw.draw(st.integers(1, 255))
    refused(bytes(data))


def test_the_most_chunks_there_are() -> None:
    stream = Stream(TINY, (Chunk("y", b"x"),) * MAX_CHUNKS)
    assert Stream.from_bytes(stream.to_bytes()) == stream
    more = Stream(TINY, (Chunk("y", b"x"),) * (MAX_CHUNKS + 1))
    assert "4097 chunks; there are 1 to 4096" in refused(more.to_bytes()).message


@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_each_byte_matters(flip: int) -> None:
    for i in range(len(GOLDEN)):
        damaged = bytearray(GOLDEN)
        damaged[i] ^= flip
        refused(bytes(damaged))


def test_each_truncation_is_noticed() -> None:
    for length in range(len(GOLDEN)):
        refused(GOLDEN[:length])


@pytest.mark.parametrize("extra", [b"\x00", b"\xff", GOLDEN])
def test_what_is_appended_is_noticed(extra: bytes) -> None:
    assert "checksum" in refused(GOLDEN + extra).message


@pytest.mark.parametrize("extra", [b"\x00", b"\x00" * 1000])
def test_what_is_appended_under_a_good_checksum_is_noticed(extra: bytes) -> None:
    message = refused(sealed(GOLDEN[:-4] + extra)).message
    assert message == f"the chunks take 7 bytes, and the stream has {7 + len(extra)}"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "does not start with CSPC"),
        (b"CSP", "does not start with CSPC"),
        (b"\x89PNG\r\n\x1a\n", "does not start with CSPC"),
        (b"CSPC", "ends inside its header"),
        (GOLDEN[:40], "the checksum does not hold"),
        (sealed(GOLDEN[:20]), "ends inside the digests"),
        (GOLDEN[:-5] + GOLDEN[-4:], "the checksum does not hold"),
    ],
)
def test_what_is_said_of_damage(data: bytes, message: str) -> None:
    assert message in refused(data).message


def test_the_damaged_chunk_is_named() -> None:
    first, last = len(GOLDEN) - 11, len(GOLDEN) - 5
    for offset, part in ((first, "z"), (last, "y, the rest")):
        damaged = bytearray(GOLDEN)
        damaged[offset] ^= 1
        assert refused(bytes(damaged)).message.endswith(f"cut or changed in {part}")
    assert "changed in z" in refused(patched(first, b"F")).message, "though the checksum of the whole was made again"


@pytest.mark.parametrize("length", [6, 4, 0, 2**31, 2**32 - 1])
def test_lengths_that_lie_are_noticed(length: int) -> None:
    error = refused(patched(TABLE_AT, varint(length << 3), size=1))
    assert error.message == f"the chunks take {length + 2} bytes, and the stream has 7"


@pytest.mark.parametrize("number", [0, 2, 4, MAX_CHUNKS, MAX_CHUNKS + 1, 2**31])
def test_numbers_of_chunks_that_lie_are_noticed(number: int) -> None:
    refused(patched(NUM_CHUNKS_AT, varint(number), size=1))


@pytest.mark.parametrize("side", [0, MAX_SIDE + 1, 2**31, 2**32 - 1, 2**35 - 1])
@pytest.mark.parametrize(("axis", "offset"), [("columns", WIDTH_AT), ("rows", WIDTH_AT + 2)])
def test_sizes_that_no_image_has_are_noticed(axis: str, offset: int, side: int) -> None:
    assert refused(patched(offset, varint(side), size=2)).message == f"{side} {axis} of pixels; there are 1 to 65535"


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (5, 2, "the coder 2 is unknown; there are 0 (codecspec), 1 (compressai)"),
        (6, 2, "the profile 2 is unknown; there are 0 (exact), 1 (portable)"),
        (7, 2, "the numerics 2 is unknown; there are 0 (reference), 1 (fast)"),
        (8, 255, "the padding 255 is unknown; there are 0 (edge)"),
        (9, 0, "0 channels; there are 1 to 255"),
        (10, 17, "17 bits a sample; there are 1 to 16"),
        (TABLE_AT, 0x2C, "a chunk of the unknown kind 4"),
    ],
)
def test_fields_that_this_version_does_not_know(offset: int, value: int, message: str) -> None:
    assert message in refused(patched(offset, bytes([value]))).message


@pytest.mark.parametrize(("version", "hint"), [(0, "code the image again"), (2, "a newer codecspec"), (255, "a newer")])
def test_another_version_is_named(version: int, hint: str) -> None:
    error = refused(patched(4, bytes([version])))
    assert error.message == f"stream version {version}; this program reads version 1"
    assert error.where == "byte 4"
    assert hint in error.hint


def test_slices_are_counted() -> None:
    def labels(*parts: str) -> list[str]:
        return Stream(TINY, tuple(Chunk(part, b"") for part in parts)).labels()

    assert labels("z", "y") == ["z", "y"]
    assert labels("y") == ["y"]
    assert labels("z", "y, anchors", "y, the rest") == ["z", "y, anchors", "y, the rest"]
    assert labels("z", "y", "y, anchors", "y, the rest", "y") == [
        "z",
        "slice 0 of y",
        "slice 1 of y, anchors",
        "slice 1 of y, the rest",
        "slice 2 of y",
    ]


@given(st.integers(0, 2**35 - 1))
def test_numbers_in_groups_of_seven_bits(value: int) -> None:
    data = varint(value)
    reader = BytesReader(data + b"\xff")
    assert reader.varint("a number") == value
    assert reader.position == len(data) == max(1, -(-value.bit_length() // 7))


@pytest.mark.parametrize("data", [b"\x80\x00", b"\xff\xff\xff\xff\xff\x01", b"\x80\x80\x80\x80\x80\x80"])
def test_numbers_that_are_longer_than_need_be_are_refused(data: bytes) -> None:
    """So that a stream has one way to be written."""
    with pytest.raises(StreamError, match="is no number as streams write them"):
        BytesReader(data).varint("the width")
