"""Damaged files of every format, 25,200 of them: each is read, or refused in words.

Every mutant follows from its format, seed and number, so that one that fails can be made again: `mutant("zip", 3, 17)`.
"""

from __future__ import annotations

import io
import random
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import codecspec as cs
from codecspec.compiler.checkpoints import Manifest, read_manifest
from tests.compiler.checkpoints.written import header_of, members_of, safetensors, torch_legacy, torch_zip, zip_of

SEEDS = range(8)
MUTANTS = 450
SECONDS = 30
"""Far more than the two that any file may take, as CI may be busy: what this finds is a file that never ends."""
MEGABYTES = 200

TENSORS = {
    "g_a.0.weight": torch.arange(12.0).view(3, 4),
    "g_a.0.bias": torch.arange(3.0).half(),
    "z.quantiles": torch.arange(6.0)[1:5].view(2, 2).t(),
    "z._offset": torch.arange(4, dtype=torch.int32),
    "z.bf": torch.ones(2, dtype=torch.bfloat16),
    "empty": torch.zeros(0),
}
TRAINING = {
    "state_dict": TENSORS,
    "ema": {f"module.{key}": tensor for key, tensor in TENSORS.items()},
    "optimizer": {"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"lr": 1e-4, "betas": (0.9, 0.99)}]},
    "epoch": 3,
}
ORIGINALS: dict[str, bytes] = {
    "zip": torch_zip(TRAINING),
    "zip, protocol 4": torch_zip(TENSORS, protocol=4),
    "legacy": torch_legacy(TRAINING),
    "legacy, protocol 5": torch_legacy(TENSORS, protocol=5),
    "safetensors": safetensors({k: t.contiguous() for k, t in TENSORS.items()}, {"k": "v"}),
}


def _zip_with_pickle(raw: bytes) -> bytes:
    return zip_of({name: raw if name.endswith("data.pkl") else other for name, other in MEMBERS.items()})


MEMBERS = members_of(ORIGINALS["zip"])
HEADER = int.from_bytes(ORIGINALS["safetensors"][:8], "little")
INSIDE: dict[str, tuple[bytes, Callable[[bytes], bytes]]] = {
    "the pickle in a zip": (MEMBERS["archive/data.pkl"], _zip_with_pickle),
    "a safetensors header": (
        ORIGINALS["safetensors"][8 : 8 + HEADER],
        lambda raw: header_of(raw, ORIGINALS["safetensors"][8 + HEADER :]),
    ),
}
"""Parts of files, and how a file is made of them again: its sizes and places are then right."""
FORMATS = [*ORIGINALS, *INSIDE]
NUMBERS = [0, 1, 2, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1]


def flip(raw: bytearray, draw: random.Random) -> None:
    raw[draw.randrange(len(raw))] ^= 1 << draw.randrange(8)


def replace(raw: bytearray, draw: random.Random) -> None:
    raw[draw.randrange(len(raw))] = draw.randrange(256)


def insert(raw: bytearray, draw: random.Random) -> None:
    at = draw.randrange(len(raw) + 1)
    raw[at:at] = draw.randbytes(draw.randrange(1, 9))


def delete(raw: bytearray, draw: random.Random) -> None:
    at = draw.randrange(len(raw))
    del raw[at : at + draw.randrange(1, 9)]


def truncate(raw: bytearray, draw: random.Random) -> None:
    del raw[draw.randrange(len(raw)) :]


def number(raw: bytearray, draw: random.Random) -> None:
    width = draw.choice((1, 2, 4, 8))
    at = draw.randrange(len(raw))
    raw[at : at + width] = (draw.choice(NUMBERS) & ((1 << 8 * width) - 1)).to_bytes(width, "little")


def copy(raw: bytearray, draw: random.Random) -> None:
    start, to = draw.randrange(len(raw)), draw.randrange(len(raw))
    piece = raw[start : start + draw.randrange(1, 65)]
    raw[to : to + len(piece)] = piece


def double(raw: bytearray, draw: random.Random) -> None:
    start = draw.randrange(len(raw))
    raw[start:start] = raw[start : start + draw.randrange(1, 65)]


def opcode(raw: bytearray, draw: random.Random) -> None:
    raw[draw.randrange(len(raw))] = draw.choice(
        b"().012BCGIJKLMNPQRSTUVXabcdeghijlopqrstu}]\x80\x81\x82\x83\x84\x85\x86\x93\x94\x95"
    )


MUTATIONS: list[Callable[[bytearray, random.Random], None]] = [
    flip,
    replace,
    insert,
    delete,
    truncate,
    number,
    copy,
    double,
    opcode,
]


def mutant(original: str, seed: int, index: int) -> bytes:
    """A damaged file: half of them by one change, the others by several."""
    draw = random.Random(f"{original} {seed} {index}")
    part, whole = INSIDE.get(original, (ORIGINALS.get(original, b""), bytes))
    raw = bytearray(part)
    for _ in range(draw.choice((1, 1, 1, 2, 3, 5))):
        if raw:
            draw.choice(MUTATIONS)(raw, draw)
    return whole(bytes(raw))


class NeverEndsError(BaseException):
    """No `except Exception` takes it for a damaged file."""


@pytest.fixture(autouse=True)
def _nothing_but_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """No file is written, no module imported, and no memory taken that a checkpoint of this size does not need."""

    def stop(*_: object) -> None:
        raise NeverEndsError

    read_manifest({"numpy is imported": torch.zeros(1)}).values_of("numpy is imported")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    modules = set(sys.modules)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    handler = signal.signal(signal.SIGALRM, stop)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, handler)
    assert list((tmp_path / "empty").iterdir()) == []
    assert sys.modules.keys() - modules == set()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEGABYTES << 10


def read_all(source: Any) -> None:
    """Everything that can be had of a checkpoint."""
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        use(read_manifest(source))
    except cs.CheckpointError as error:
        assert error.code == "E-checkpoint"
        assert all(line.isprintable() for line in str(error).splitlines())


def use(manifest: Manifest) -> None:
    small = [key for key, info in manifest.items() if info.nbytes <= 1 << 16]
    for key in small:
        try:
            assert manifest.values_of(key).shape == manifest[key].shape
        except cs.CheckpointError:
            continue
    tensors = manifest.tensors()
    assert {key: (str(t.dtype), tuple(t.shape)) for key, t in tensors.items()} == {
        key: (f"torch.{info.dtype}", info.shape) for key, info in manifest.items()
    }
    for key in small:
        tensors[key].clone()


@pytest.mark.parametrize("original", ORIGINALS)
def test_the_originals_are_read(original: str) -> None:
    use(read_manifest(io.BytesIO(ORIGINALS[original])))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("original", FORMATS)
def test_mutants_are_read_or_refused(original: str, seed: int) -> None:
    for index in range(MUTANTS):
        try:
            read_all(io.BytesIO(mutant(original, seed, index)))
        except BaseException as error:
            error.add_note(f"mutant({original!r}, {seed}, {index})")
            raise


@pytest.mark.parametrize("seed", SEEDS)
def test_mutants_in_several_files(tmp_path: Path, seed: int) -> None:
    """An index and its two files, one of the three damaged."""
    keys = list(TENSORS)
    pieces = {"x-1-of-2.safetensors": keys[:3], "x-2-of-2.safetensors": keys[3:]}
    index = '{"metadata": {"total_size": 99}, "weight_map": {%s}}'
    entries = ", ".join(f'"{key}": "{name}"' for name, inside in pieces.items() for key in inside)
    files = {"x.safetensors.index.json": (index % entries).encode()}
    files |= {name: safetensors({k: TENSORS[k].contiguous() for k in inside}) for name, inside in pieces.items()}
    folder = tmp_path / "files"
    folder.mkdir()
    for name, raw in files.items():
        (folder / name).write_bytes(raw)
    use(read_manifest(folder))
    draw = random.Random(seed)
    for _ in range(100):
        name = draw.choice(list(files))
        raw = bytearray(files[name])
        draw.choice(MUTATIONS)(raw, draw)
        (folder / name).write_bytes(raw)
        read_all(folder / "x.safetensors.index.json")
        read_all(folder)
        (folder / name).write_bytes(files[name])
