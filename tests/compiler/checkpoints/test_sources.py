"""Where checkpoints are read from: paths, file objects, URLs; and how little of them."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import fsspec
import pytest
import torch

import codecspec as cs
from codecspec.compiler.checkpoints import read_manifest, read_tensors
from tests.compiler.checkpoints.written import safetensors, torch_legacy, torch_zip

TENSORS = {f"g_a.{i}.weight": torch.full((64, 1024), float(i)) for i in range(40)}
"""10 MB in 40 tensors."""
WRITERS = {"zip": torch_zip, "legacy": torch_legacy, "safetensors": safetensors}


class Counting(io.BytesIO):
    """A file object that says what was read of it."""

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw)
        self.reads: list[tuple[int, int]] = []

    def read(self, size: int | None = -1, /) -> bytes:
        at = self.tell()
        raw = super().read(size)
        self.reads.append((at, len(raw)))
        return raw

    @property
    def total(self) -> int:
        return sum(length for _, length in self.reads)


def place_of(raw: bytes, value: float) -> tuple[int, int]:
    """Where the numbers of the tensor that is full of `value` are."""
    numbers = torch.full((64, 1024), value).numpy().tobytes()
    return raw.index(numbers), len(numbers)


@pytest.fixture(params=WRITERS)
def raw(request: pytest.FixtureRequest) -> bytes:
    return WRITERS[request.param](TENSORS)


def test_a_manifest_reads_what_lists_the_tensors(raw: bytes) -> None:
    file = Counting(raw)
    assert len(read_manifest(file)) == len(TENSORS)
    assert len(file.reads) <= 8
    if raw[:1] == b"\x80":  # a stream does not say how long its pickles are
        assert file.total < 300_000
        assert max(at + length for at, length in file.reads) < 300_000
    else:
        assert file.total < 24_000
        tensors = [place_of(raw, float(i)) for i in range(3, 36)]
        overlaps = [start for start, n in tensors for at, m in file.reads if at < start + n and start < at + m]
        assert overlaps == []


def test_values_read_their_own_bytes_alone(raw: bytes) -> None:
    small = {**TENSORS, "mask": torch.arange(7.0)}
    file = Counting(WRITERS["legacy" if raw[:1] == b"\x80" else "zip" if raw[:1] == b"P" else "safetensors"](small))
    manifest = read_manifest(file)
    file.reads.clear()
    assert manifest.values_of("mask").tolist() == list(range(7))
    assert file.total <= 28 + 30


def test_each_storage_is_read_once(raw: bytes) -> None:
    file = Counting(raw)
    manifest = read_manifest(file)
    file.reads.clear()
    tensors = manifest.tensors()
    assert all(torch.equal(tensors[key], tensor) for key, tensor in TENSORS.items())
    assert file.total < sum(t.numel() * 4 for t in TENSORS.values()) + 64 * len(TENSORS)


def test_values_that_are_too_large(raw: bytes) -> None:
    with pytest.raises(cs.CheckpointError, match="take 262,144 bytes, and 65,536 is the most") as caught:
        read_manifest(io.BytesIO(raw)).values_of("g_a.3.weight")
    assert caught.value.where == "<BytesIO>#g_a.3.weight"
    with pytest.raises(KeyError):
        read_manifest(io.BytesIO(raw)).values_of("g_a.300.weight")


def test_values_that_are_far_apart() -> None:
    file = io.BytesIO(torch_zip({"column": torch.zeros(1000, 100)[:, 0]}))
    with pytest.raises(cs.CheckpointError, match="spread over 399,604 bytes"):
        read_manifest(file).values_of("column")


def test_a_path_in_every_form(tmp_path: Path, raw: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.pth").write_bytes(raw)
    monkeypatch.chdir(tmp_path)
    with (tmp_path / "x.pth").open("rb") as file:
        for source in (tmp_path / "x.pth", str(tmp_path / "x.pth"), "x.pth", file, Opened(tmp_path / "x.pth")):
            assert torch.equal(read_tensors(source)["g_a.7.weight"], TENSORS["g_a.7.weight"])
        assert not file.closed


class Opened:
    """Only what the reader needs of a file object, and short reads, as from a socket."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")

    def read(self, size: int) -> bytes:
        return self._file.read(min(size, 5000))

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def __del__(self) -> None:
        self._file.close()


def test_a_url(raw: bytes) -> None:
    with fsspec.open("memory://folder/x.pth", "wb") as file:
        file.write(raw)
    manifest = read_manifest("memory://folder/x.pth")
    assert manifest.source == "memory://folder/x.pth"
    assert torch.equal(manifest.tensors()["g_a.7.weight"], TENSORS["g_a.7.weight"])


@pytest.mark.parametrize("url", ["memory://no/such", "nosuch://x", "file:///no/such", "://"])
def test_a_url_that_leads_nowhere(url: str) -> None:
    with pytest.raises(cs.CheckpointError, match="it cannot be opened") as caught:
        read_manifest(url)
    assert caught.value.where == url


def test_without_fsspec(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "fsspec", None)
    with pytest.raises(cs.CheckpointError, match="URLs are read with fsspec, which is not installed") as caught:
        read_manifest("memory://x")
    assert caught.value.hint == "pip install 'codecspec[remote]'"


class Broken(io.BytesIO):
    """Raises what no file should."""

    def read(self, size: int | None = -1, /) -> bytes:
        raise RuntimeError("the network is down")


class Pipe(io.BytesIO):
    def seek(self, offset: int, whence: int = 0, /) -> int:
        raise io.UnsupportedOperation("underlying stream is not seekable")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (Broken(b"x" * 100), "it cannot be read: the network is down"),
        (Pipe(b"x" * 100), "it is no file that can be read at any place"),
        (io.StringIO("x" * 100), "it was not opened in binary mode"),
        (3, "a int is neither a path, a URL, a binary file object nor a mapping of tensors"),
        ("x" * 5000, "no such file"),
        ("\0", "no such file"),
        (os.devnull, "it is no regular file"),
    ],
)
def test_what_cannot_be_read(source: Any, message: str) -> None:
    with pytest.raises(cs.CheckpointError, match=message):
        read_manifest(source)


def test_a_file_that_is_closed_meanwhile(raw: bytes) -> None:
    file = io.BytesIO(raw)
    manifest = read_manifest(file)
    file.close()
    with pytest.raises(cs.CheckpointError, match="it cannot be read"):
        manifest.tensors()


def test_a_file_that_changes_meanwhile(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "x.pth"
    path.write_bytes(raw)
    manifest = read_manifest(path)
    path.write_bytes(raw[:-1])
    with pytest.raises(cs.CheckpointError, match="it was changed after its tensors were listed"):
        manifest.tensors()
    path.unlink()
    with pytest.raises(cs.CheckpointError, match="it cannot be opened: No such file"):
        manifest.tensors()


def test_nothing_stays_open(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "x.pth"
    path.write_bytes(raw)
    before = set(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else set()
    manifest = read_manifest(path)
    tensors = manifest.tensors()
    after = set(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else set()
    assert len(after) == len(before)
    assert tensors
