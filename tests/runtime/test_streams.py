"""Streams: exact bytes, there and back, and every kind of damage refused as E-stream."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codecspec.runtime.streams import MAX_PARTS, MAX_SIDE, Stream, parts_of, require_same_spec
from codecspec.schema.errors import StreamError

STREAM = Stream("00112233" * 8, height=0x0102, width=0x0304, parts=(b"first", b"", b"\x00\xff"))
GOLDEN = bytes.fromhex(
    "43535043"  # CSPC
    "00"  # version
    "0011223300112233001122330011223300112233001122330011223300112233"  # spec hash
    "04030000"  # width
    "02010000"  # height
    "0300"  # parts
    "050000000000000002000000"  # lengths
    "666972737400ff"  # payload
    "184c2563"  # checksum
)
LENGTHS_AT = 47
"""The byte where the lengths of the parts start."""


def sealed(body: bytes) -> bytes:
    """A body with the checksum that it should have."""
    return body + struct.pack("<I", zlib.crc32(body))


def patched(offset: int, replacement: bytes) -> bytes:
    """The golden stream with some bytes replaced, and a checksum that holds."""
    body = GOLDEN[:-4]
    return sealed(body[:offset] + replacement + body[offset + len(replacement) :])


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


streams = st.builds(
    Stream,
    spec_hash=st.binary(min_size=32, max_size=32).map(bytes.hex),
    height=st.integers(1, MAX_SIDE),
    width=st.integers(1, MAX_SIDE),
    parts=st.lists(st.binary(max_size=40), min_size=1, max_size=30).map(tuple),
)


@given(streams)
def test_there_and_back_is_the_identity(stream: Stream) -> None:
    data = stream.to_bytes()
    assert Stream.from_bytes(data) == stream
    assert Stream.from_bytes(data).to_bytes() == data


@given(streams, st.data())
def test_damage_to_any_stream_is_noticed(stream: Stream, draw: st.DataObject) -> None:
    data = bytearray(stream.to_bytes())
    data[draw.draw(st.integers(0, len(data) - 1))] ^= draw.draw(st.integers(1, 255))
    refused(bytes(data))


def test_the_most_parts_there_are() -> None:
    stream = Stream("ab" * 32, 1, 1, (b"x",) * MAX_PARTS)
    assert Stream.from_bytes(stream.to_bytes()) == stream


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
    assert message == f"the parts take 7 bytes, and the stream has {7 + len(extra)}"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "does not start with CSPC"),
        (b"CSP", "does not start with CSPC"),
        (b"\x89PNG\r\n\x1a\n", "does not start with CSPC"),
        (b"CSPC", "ends inside its header"),
        (GOLDEN[:50], "ends inside its header"),
        (GOLDEN[:-5] + GOLDEN[-4:], "the checksum does not hold"),
    ],
)
def test_what_is_said_of_damage(data: bytes, message: str) -> None:
    assert message in refused(data).message


def lengths(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


@pytest.mark.parametrize("values", [(6, 0, 2), (4, 0, 2), (5, 0, 0), (2**32 - 1,) * 3, (2**31, 2**31, 7), (0, 0, 0)])
def test_lengths_that_lie_are_noticed(values: tuple[int, int, int]) -> None:
    error = refused(patched(LENGTHS_AT, lengths(*values)))
    assert error.message == f"the parts take {sum(values)} bytes, and the stream has 7"
    assert error.where == f"byte {LENGTHS_AT}"


@pytest.mark.parametrize(
    ("num_parts", "message"),
    [
        (0, "in 0 parts"),
        (2, "the parts take 5 bytes, and the stream has 11"),
        (4, "the parts take"),
        (MAX_PARTS, f"no room for the lengths of {MAX_PARTS} parts"),
        (MAX_PARTS + 1, f"in {MAX_PARTS + 1} parts"),
        (65_535, "in 65535 parts"),
    ],
)
def test_numbers_of_parts_that_lie_are_noticed(num_parts: int, message: str) -> None:
    assert message in refused(patched(LENGTHS_AT - 2, struct.pack("<H", num_parts))).message


@pytest.mark.parametrize("side", [0, MAX_SIDE + 1, 2**31, 2**32 - 1])
@pytest.mark.parametrize(("axis", "offset"), [("width", 37), ("height", 41)])
def test_sizes_that_no_image_has_are_noticed(axis: str, offset: int, side: int) -> None:
    error = refused(patched(offset, struct.pack("<I", side)))
    size = f"{side}x{0x0102}" if axis == "width" else f"{0x0304}x{side}"
    assert error.message == f"an image of {size} in 3 parts; sides are 1 to 65535"


@pytest.mark.parametrize("version", [1, 2, 255])
def test_another_version_is_named(version: int) -> None:
    error = refused(patched(4, bytes([version])))
    assert error.message == f"stream version {version}; this program reads version 0"
    assert error.where == "byte 4"


def test_another_spec_is_refused_and_both_are_named() -> None:
    require_same_spec(STREAM, STREAM.spec_hash)
    with pytest.raises(StreamError, match="written by the spec 001122330011, and this model is ffffffffffff") as caught:
        require_same_spec(STREAM, "f" * 64)
    assert caught.value.code == "E-stream-model"
    assert caught.value.where == "byte 5"


def test_a_spec_that_differs_in_its_last_digit_is_another() -> None:
    with pytest.raises(StreamError, match="E-stream-model"):
        require_same_spec(STREAM, STREAM.spec_hash[:-1] + "0")


def test_the_strings_of_one_image_of_a_batch() -> None:
    strings = [[b"a0", b"a1"], [b"b0", b"b1"], [b"z0", b"z1"]]
    assert parts_of(strings) == (b"a0", b"b0", b"z0")
    assert parts_of(strings, image=1) == (b"a1", b"b1", b"z1")
