"""Zip files that lie about their members, or pack a bomb: refused before a byte of it is unpacked."""

from __future__ import annotations

import io
import re
import struct
import zipfile

import pytest
import torch

import codecspec as cs
from codecspec.compiler.checkpoints import read_manifest, read_tensors
from tests.compiler.checkpoints.written import members_of, one_tensor, torch_zip, zip_of, zip_with_pickle

PLAIN = zip_with_pickle(one_tensor(), **{"0": struct.pack("<4f", 1, 2, 3, 4)})
MEMBERS = members_of(PLAIN)


def refused(raw: bytes) -> str:
    with pytest.raises(cs.CheckpointError) as caught:
        read_tensors(io.BytesIO(raw))
    assert caught.value.code == "E-checkpoint"
    return caught.value.message


def records(raw: bytes) -> list[int]:
    """Where the records of the directory start."""
    return [found.start() for found in re.finditer(b"PK\1\2", raw)]


def patched(raw: bytes, at: int, layout: str, value: int) -> bytes:
    return raw[:at] + struct.pack(layout, value) + raw[at + struct.calcsize(layout) :]


def directory_of(raw: bytes) -> int:
    return struct.unpack_from("<L", raw, raw.rfind(b"PK\5\6") + 16)[0]


def test_the_plain_file_is_read() -> None:
    assert read_tensors(io.BytesIO(PLAIN))["a"].tolist() == [1, 2, 3, 4]


def test_a_compressed_bomb() -> None:
    bomb = zip_of({"x/data.pkl": b"\x80\x02" + b"}" * 50_000_000}, zipfile.ZIP_DEFLATED)
    assert len(bomb) < 100_000
    assert "its member x/data.pkl is compressed or encrypted, and torch writes none so" in refused(bomb)


def test_an_encrypted_member() -> None:
    assert "compressed or encrypted" in refused(patched(PLAIN, records(PLAIN)[0] + 8, "<H", 1))


def test_a_pickle_of_many_megabytes() -> None:
    raw = zip_with_pickle(b"\x80\x02" + b"N0" * (9 << 20) + b".")
    assert "has 18,874,371 bytes, and no more than 16,777,216 are read" in refused(raw)


@pytest.mark.parametrize("index", range(3))
@pytest.mark.parametrize("size", [17, 1 << 20, 0xFFFFFFFE])
def test_sizes_that_lie(index: int, size: int) -> None:
    at = records(PLAIN)[index]
    raw = patched(patched(PLAIN, at + 20, "<L", size), at + 24, "<L", size)
    assert refused(raw)


def test_a_size_that_differs_from_the_packed_size() -> None:
    assert "compressed or encrypted" in refused(patched(PLAIN, records(PLAIN)[2] + 24, "<L", 8))


@pytest.mark.parametrize("place", [0, 1, 60, 1 << 20, 0xFFFFFFFE])
def test_places_that_lie(place: int) -> None:
    assert refused(patched(PLAIN, records(PLAIN)[2] + 42, "<L", place))


def test_members_in_each_others_bytes() -> None:
    first, *_, last = records(PLAIN)
    inside = struct.unpack_from("<L", PLAIN, first + 42)[0] + 10
    assert "reaches into the bytes of what follows it" in refused(patched(PLAIN, last + 42, "<L", inside))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_the_same_name() -> None:
    assert "it has two members x/data.pkl" in refused(zip_of([*MEMBERS.items(), ("x/data.pkl", b"\x80\x02}.")]))


def test_two_pickles_in_two_folders() -> None:
    assert "a zip file with 2 data.pkl" in refused(zip_of({**MEMBERS, "y/data.pkl": b"\x80\x02}."}))


def test_a_zip_file_of_something_else() -> None:
    assert "a zip file with 0 data.pkl" in refused(zip_of({"hello.txt": b"hello"}))


def test_more_members_than_records() -> None:
    assert refused(patched(PLAIN, PLAIN.rfind(b"PK\5\6") + 10, "<H", 60_000))


def test_a_directory_that_is_elsewhere() -> None:
    end = PLAIN.rfind(b"PK\5\6")
    for place in (0, directory_of(PLAIN) - 1, 1 << 31):
        assert refused(patched(PLAIN, end + 16, "<L", place))


def test_a_byte_order_that_is_none() -> None:
    assert "its bytes are in the order 'middle'" in refused(zip_of({**MEMBERS, "x/byteorder": b"middle"}))


def test_a_file_in_zip64() -> None:
    """torch writes those records at 4 GB alone; Python does when asked."""
    raw = PLAIN
    end = raw.rfind(b"PK\5\6")
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 3, 3, end - directory_of(raw), directory_of(raw))
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, end, 1)
    closing = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    zip64 = raw[:end] + record + locator + closing
    assert zipfile.ZipFile(io.BytesIO(zip64)).namelist() == list(MEMBERS)
    assert read_tensors(io.BytesIO(zip64))["a"].tolist() == [1, 2, 3, 4]
    assert "zip64 record" in refused(raw[:end] + record + patched(locator, 8, "<Q", end - 1) + closing)
    assert refused(raw[:end] + record + patched(locator, 8, "<Q", 1 << 60) + closing)


def test_a_member_in_zip64() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in MEMBERS.items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(content)
    assert read_tensors(io.BytesIO(file.getvalue()))["a"].tolist() == [1, 2, 3, 4]


def test_a_comment_at_the_end() -> None:
    with_comment = PLAIN[:-2] + struct.pack("<H", 6000) + b"x" * 6000
    assert list(read_manifest(io.BytesIO(with_comment))) == ["a"]


def test_a_header_that_differs_from_the_directory() -> None:
    """The manifest comes from the directory; the values are not taken from another place than it says."""
    place = struct.unpack_from("<L", PLAIN, records(PLAIN)[2] + 42)[0]
    raw = patched(PLAIN, place + 26, "<H", 3)
    assert list(read_manifest(io.BytesIO(raw))) == ["a"]
    assert "its member x/data/0 is not where the zip directory says" in refused(raw)
    with pytest.raises(cs.CheckpointError, match="not where the zip directory says"):
        read_manifest(io.BytesIO(raw)).values_of("a")


def test_every_truncation_is_refused() -> None:
    raw = torch_zip({"a": torch.ones(2)})
    for length in range(0, len(raw), 7):
        assert refused(raw[:length])
