"""A second reader of streams, in plain Python, written from docs/stream-format.md alone: it reads the golden streams.

Nothing of `codecspec.runtime.streams` or `.entropy_coding` is used here; what this needs and the page does not say is a
defect of the page.
"""

from __future__ import annotations

import struct
import zlib
from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
import pytest

from tests.golden.test_golden_streams import CHANNELS, FOLDER, SCALES, Y_SCALES, Y, Z, bottleneck, gaussian

MASK = (1 << 64) - 1


@dataclass
class Bytes:
    """What is left of some bytes."""

    data: bytes

    def take(self, count: int) -> bytes:
        taken, self.data = self.data[:count], self.data[count:]
        assert len(taken) == count
        return taken

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "little")

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.number(1)
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value


def header_and_chunks(data: bytes) -> tuple[bytes, dict[str, int], list[tuple[int, bytes]]]:
    """The header's bytes and fields, and the code and content of each chunk."""
    assert zlib.crc32(data[:-4]) == int.from_bytes(data[-4:], "little")
    rest = Bytes(data[:-4])
    assert rest.take(4) == b"CSPC"
    names = ("version", "coder", "profile", "numerics", "padding", "channels", "bit depth")
    fields = {name: rest.number(1) for name in names}
    fields |= {name: rest.number(8) for name in ("spec", "weights", "tables")}
    fields |= {name: rest.varint() for name in ("width", "height", "multiple")}
    header = data[: len(data) - 4 - len(rest.data)]
    table = [(rest.varint(), rest.number(4)) for _ in range(rest.varint())]
    chunks = [(entry % 8, rest.take(entry // 8)) for entry, _ in table]
    assert [zlib.crc32(chunk) for _, chunk in chunks] == [checksum for _, checksum in table]
    assert rest.data == b""
    return header, fields, chunks


def splitmix(output: int) -> int:
    """An output of SplitMix64 seeded with 0, counted from 0."""
    z = (output + 1) * 0x9E3779B97F4A7C15 & MASK
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
    return z ^ z >> 31


def syndromes(indexes: list[int]) -> bytes:
    """What stands before the check of a part in a portable stream."""
    blocks = -(-len(indexes) // 65536)
    out = b""
    for k in range(blocks):
        block = indexes[len(indexes) * k // blocks : len(indexes) * (k + 1) // blocks]
        size, syndrome, check = 1 + -(-len(block) // 4096), 0, 0
        for j, index in enumerate(block):
            column = splitmix(4 * j) | splitmix(4 * j + 1) << 64 | splitmix(4 * j + 2) << 128
            syndrome ^= column if index % 2 else 0
            check += index * splitmix(4 * j + 3)
        out += (syndrome & ((1 << 8 * size) - 1)).to_bytes(size, "little") + (check % (1 << 32)).to_bytes(4, "little")
    return out


class Symbols:
    """The coded symbols of an image."""

    def __init__(self) -> None:
        self.states: list[int] = []
        self.piece = Bytes(b"")

    def refilled(self, x: int) -> int:
        return x if x >= 1 << 20 else x << 16 | self.piece.number(2)

    def bits(self, x: int, count: int) -> tuple[int, int]:
        """The state after, and a number of so many bits: one of 2^count equal intervals."""
        each = 1 << (16 - count)
        value = x % 65536 // each
        return self.refilled(each * (x // 65536) + x % 65536 - value * each), value

    def symbol(self, x: int, row: list[int], offset: int) -> tuple[int, int]:
        """The state after, and a value under cumulative counts that begin with 0 and end with 65536."""
        which = bisect_right(row, x % 65536) - 1
        x = self.refilled((row[which + 1] - row[which]) * (x // 65536) + x % 65536 - row[which])
        escape = len(row) - 2
        if which < escape:
            return x, which + offset
        x, count = self.bits(x, 6)
        folded = 1
        for piece in [*([count % 15] if count % 15 else []), *([15] * (count // 15))]:
            x, value = self.bits(x, piece)
            folded = folded << piece | value
        return x, (folded // 2 + escape if folded % 2 else -(folded // 2)) + offset

    def read(self, piece: bytes, rows: list[list[int]], offsets: list[int], indexes: list[int]) -> list[int]:
        self.piece = Bytes(piece)
        if not self.states:
            both = self.piece.number(9)
            self.states = [both % (1 << 36), both >> 36]
        out = []
        for index in indexes:
            x, value = self.symbol(self.states[0], rows[index], offsets[index])
            self.states = [self.states[1], x]
            out.append(value)
        assert self.piece.data == b""
        return out


def tables(model: object) -> tuple[list[list[int]], list[int]]:
    """Each row's cumulative counts and offset, out of what the model keeps."""
    counts, lengths, offsets = (getattr(model, name).tolist() for name in ("_quantized_cdf", "_cdf_length", "_offset"))
    return [row[:length] for row, length in zip(counts, lengths, strict=True)], offsets


def index_of(scale: float) -> int:
    bounded = max(np.float32(scale), np.float32(0.11))
    return sum(bool(np.float32(border) < bounded) for border in SCALES[:-1])


@pytest.mark.parametrize("profile", ["exact", "portable"])
def test_the_golden_streams_are_read_by_what_the_page_says(profile: str) -> None:
    data = (FOLDER / f"version-1-codecspec-{profile}.csp").read_bytes()
    header, fields, chunks = header_and_chunks(data)
    assert fields["version"] == 1
    assert fields["coder"] == 0
    assert fields["profile"] == (profile == "portable")
    assert (fields["width"], fields["height"], fields["multiple"]) == (200, 300, 64)
    assert (fields["channels"], fields["bit depth"]) == (1, 16)
    assert fields["spec"] == int.from_bytes(bytes(range(8)), "little")
    indexes = [index_of(scale) for scale in Y_SCALES]
    wanted = [
        (0, bottleneck(), CHANNELS.tolist(), Z),
        (1, gaussian(), indexes, Y),
        (2, gaussian(), indexes[:20], Y[:20]),
        (3, gaussian(), [], Y[:0]),
        (1, gaussian(), indexes, Y),
    ]
    under_scales = [False, True, True, False, False]  # the last is coded as a raster scan is: without syndromes
    coded = Symbols()
    for (code, content), (part, model, rows, values), has_syndromes in zip(chunks, wanted, under_scales, strict=True):
        assert code == part
        if not len(values):
            assert content == b""
            continue
        rest = Bytes(content)
        if has_syndromes and profile == "portable":
            expected = syndromes(rows)
            assert rest.take(len(expected)) == expected
        check = rest.number(4)
        symbols = coded.read(rest.data, *tables(model), rows)
        assert symbols == values.tolist()
        assert check == zlib.crc32(struct.pack(f"<{len(symbols)}i", *symbols)) ^ zlib.crc32(header)
    assert coded.states == [1 << 20, 1 << 20]
