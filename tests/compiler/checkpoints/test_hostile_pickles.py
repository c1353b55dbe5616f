"""Pickles that would run code, exhaust memory or time, or lie about tensors: refused in words, and nothing happens."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

import codecspec as cs
from codecspec.compiler.checkpoints import read_manifest
from tests.compiler.checkpoints.written import (
    header_of,
    legacy_with_pickle,
    number,
    one_tensor,
    tensor_opcodes,
    text,
    zip_of,
    zip_with_pickle,
)

START = b"\x80\x02"
NAMES_OS = b"cos\nsystem\n"
MARKER = "codecspec-was-here"

FORMATS = {"zip": lambda opcodes: zip_with_pickle(opcodes, **{"0": bytes(16)}), "legacy": legacy_with_pickle}


@pytest.fixture(params=FORMATS)
def refused(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Reads these opcodes as a checkpoint, and gives the error that comes."""
    monkeypatch.chdir(tmp_path)

    def read(opcodes: bytes) -> cs.CheckpointError:
        modules = set(sys.modules)
        with pytest.raises(cs.CheckpointError) as caught:
            read_manifest(io.BytesIO(FORMATS[request.param](opcodes)))
        assert list(tmp_path.iterdir()) == [], "something wrote a file"
        assert {name for name in sys.modules.keys() - modules if not name.startswith("codecspec")} == set()
        assert caught.value.code == "E-checkpoint"
        return caught.value

    return read


class Runs:
    """What a pickle needs to run a command when it is loaded."""

    def __reduce__(self) -> Any:
        return os.system, (f"touch {MARKER}",)


def names(module: str, name: str) -> bytes:
    return text(module) + text(name) + b"\x93"


COMMAND = text(f"touch {MARKER}")
WOULD_RUN = {
    "REDUCE": START + NAMES_OS + b"(" + COMMAND + b"tR.",
    "REDUCE, protocol 4": pickle.dumps(Runs(), protocol=4),
    "REDUCE, in a value": pickle.dumps({"state_dict": {"a": Runs()}}, protocol=2),
    "STACK_GLOBAL": START + names("posix", "system") + COMMAND + b"\x85R.",
    "builtins": START + names("builtins", "eval") + text("1") + b"\x85R.",
    "an attribute of an allowed name": START + names("collections", "OrderedDict.__init__") + b")R.",
    "an allowed name's module": START + names("torch._utils", "torch.os.system") + b")R.",
    "a module that is not imported": START + b"cantigravity\nfly\n)R.",
    "torch.load": START + b"ctorch\nload\n" + text("x") + b"\x85R.",
    "numpy's load": START + b"cnumpy\nload\n" + text("x") + b"\x85R.",
    "getattr": START + b"c__builtin__\ngetattr\n.",
    "NEWOBJ": START + b"csubprocess\nPopen\n" + COMMAND + b"\x85\x81.",
    "an argparse.Namespace beside": START + b"}" + text("args") + b"cargparse\nNamespace\n)\x81s.",
}


@pytest.mark.parametrize("what", WOULD_RUN)
def test_names_are_refused(refused: Any, what: str) -> None:
    error = refused(WOULD_RUN[what])
    assert "it names " in error.message
    assert "which no state dict needs; nothing in it was run" in error.message
    assert "torch.save(net.state_dict()" in error.hint


OPCODES = {
    "INST": START + b"(" + COMMAND + b"ios\nsystem\n.",
    "OBJ": START + b"(" + NAMES_OS + COMMAND + b"o.",
    "OBJ, of an allowed name": START + b"(ccollections\nOrderedDict\n" + COMMAND + b"o.",
    "EXT1": START + b"\x82\x01.",
    "EXT2": START + b"\x83\x01\x01.",
    "EXT4": START + b"\x84\x01\x01\x01\x01.",
    "NEWOBJ_EX": START + b"ccollections\nOrderedDict\n)}\x92.",
    "PERSID": START + b"Pstorage\n.",
}


@pytest.mark.parametrize("what", OPCODES)
def test_opcodes_are_refused(refused: Any, what: str) -> None:
    named = what in ("OBJ",)
    assert ("it names os.system" if named else f"the opcode {what.split(',')[0]}, which no") in refused(
        OPCODES[what]
    ).message


DAMAGED = {
    "BUILD of a name": START + b"ccollections\nOrderedDict\n}" + text("make") + b"Nsb.",
    "BUILD of a tuple": START + b")}b.",
    "REDUCE of a number": START + b"K\x01)R.",
    "REDUCE of a text": START + text("os.system") + b")R.",
    "REDUCE of a storage's name": START + b"ctorch\nFloatStorage\n)R.",
    "REDUCE of a mapping": START + b"})R.",
    "a tensor from too little": START + b"ctorch._utils\n_rebuild_tensor_v2\n)R.",
    "a tensor from a text": START + b"ctorch._utils\n_rebuild_tensor_v2\n" + text("abcdefgh") + b"R.",
    "a tensor of a tensor": START + b"ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._utils\n_rebuild_tensor\nN)NtR.",
    "a tensor rebuilt by itself": START + b"ctorch._tensor\n_rebuild_from_type_v2\nq\x00(h\x00N(h\x00N)NtNtR.",
    "a parameter of a number": START + b"ctorch._utils\n_rebuild_parameter\n(K\x01\x88NtR.",
    "a persistent id that is a number": START + b"K\x01Q.",
    "a storage of a type that is none": START + b"(" + text("storage") + text("Float") + text("0") + b"NK\x04tQ.",
    "a module": START + b"(" + text("module") + b"NNNtQ.",
    "the stack is empty": START + b"R.",
    "a mark is missing": START + b"K\x01t.",
    "the memo has no such entry": START + b"h\x05.",
    "a key twice": START + b"}" + text("a") + b"Ns" + text("a") + b"Ns.",
    "an odd number of items": START + b"}(" + text("a") + b"u.",
    "a tuple as a key": START + b"})Ns.",
    "an append to a tuple": START + b")Na.",
    "no text": START + b"X\x02\0\0\0\xff\xff.",
    "a key that is a novel": START + b"}" + text("a" * 5000) + b"Ns.",
    "protocol 0": b"(dp0\n.",
    "protocol 9": b"\x80\x09}.",
    "an OrderedDict of numbers": START + b"ccollections\nOrderedDict\n(](K\x01K\x02etR.",
}


@pytest.mark.parametrize("what", DAMAGED)
def test_what_makes_no_sense_is_refused(refused: Any, what: str) -> None:
    assert refused(DAMAGED[what]).message


LIES = {
    "a negative size": {"shape": (-4,)},
    "a huge size": {"shape": (1 << 62,)},
    "sizes with a huge product": {"shape": (1 << 40, 1 << 40)},
    "sizes of thousands of bits": {"shape": (1 << 2000,) * 20, "strides": (0,) * 20},
    "a negative stride": {"strides": (-1,)},
    "a huge stride": {"strides": (1 << 2000,)},
    "a stride beyond the storage": {"strides": (2,)},
    "a negative offset": {"offset": -1},
    "an offset beyond the storage": {"offset": 1},
    "a huge offset": {"offset": 1 << 2000},
    "fewer strides than sizes": {"shape": (2, 2)},
    "as many sizes as bytes": {"shape": (1,) * 200, "strides": (1,) * 200},
    "a negative storage": {"numel": -4},
    "a huge storage": {"numel": 1 << 2000},
    "a storage larger than the file": {"numel": 1 << 40},
    "a storage that is smaller than the tensor": {"numel": 3},
}


@pytest.mark.parametrize("what", LIES)
def test_tensors_that_cannot_be(refused: Any, what: str) -> None:
    assert refused(one_tensor(**LIES[what])).message


def test_a_storage_that_the_file_has_not() -> None:
    with pytest.raises(cs.CheckpointError, match="of the storage 1, which the file has not"):
        read_manifest(io.BytesIO(zip_with_pickle(one_tensor(key="1"), **{"0": bytes(16)})))


def test_a_storage_that_is_shorter_than_it_says() -> None:
    with pytest.raises(cs.CheckpointError, match="its storage 0 should be of 16 bytes, and is of 15") as caught:
        read_manifest(io.BytesIO(zip_with_pickle(one_tensor(), **{"0": bytes(15)})))
    assert caught.value.where.startswith("<BytesIO> data.pkl byte ")


def test_a_storage_of_two_types() -> None:
    other = one_tensor().replace(b"FloatStorage", b"IntStorage").replace(text("a"), text("b"))
    both = one_tensor()[:-1] + other[3:]
    with pytest.raises(cs.CheckpointError, match="its storage 0 is described in two ways"):
        read_manifest(io.BytesIO(zip_with_pickle(both, **{"0": bytes(16)})))


BOMBS = {
    "a memo index of 32 bits": START + b"Nr\xff\xff\xff\xff.",
    "a tuple too deep to hash": START + b"})" + b"\x85" * 200_000 + b"Ns.",
    "a tuple that takes years to hash": START + b"})" + b"q\x00h\x00\x86" * 60 + b"Ns.",
    "a deep list": START + b"]" * 200_000 + b"a" * 199_999 + b".",
    "a deep mapping": START + (b"}" + text("a")) * 50_000 + b"N" + b"s" * 50_000 + b".",
    "mappings that hold each other many times": START
    + b"}q\x00"
    + b"".join(
        b"}" + b"".join(text(f"{i}") + b"h" + bytes([level]) + b"s" for i in range(30)) + b"q" + bytes([level + 1])
        for level in range(12)
    )
    + b".",
    "a mapping that holds itself": START + b"}q\x00" + text("a") + b"h\x00s.",
    "a text of 4 GB": START + b"X\xff\xff\xff\xffabc.",
    "bytes of 2^60": START + b"\x96\0\0\0\0\0\0\0\x10abc.",
    "a number of 4 GB": START + b"\x8b\xff\xff\xff\x7f.",
    "a frame of 2^60": b"\x80\x04\x95\0\0\0\0\0\0\0\x10}.",
    "a million mappings": START + b"}" * 1_100_000 + b".",
    "a million memos": START + b"}\x94" * 550_000 + b".",
    "a million marks": START + b"(" * 1_100_000 + b".",
    "numbers of the same hash as keys": START
    + b"}"
    + b"".join(number(i * ((1 << 61) - 1)) + b"Ns" for i in range(2000))
    + b".",
}


@pytest.mark.parametrize("what", BOMBS)
def test_bombs_are_refused(refused: Any, what: str) -> None:
    assert refused(BOMBS[what]).message


MEASURED = """
import sys
import codecspec as cs
from codecspec.compiler.checkpoints import read_manifest
for path in sys.argv[1:]:
    try:
        print("READ", path, read_manifest(path))
    except cs.CheckpointError:
        pass
print([name for name in ("torch", "numpy") if name in sys.modules])
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
TEXT = b"X" + (15 << 20).to_bytes(4, "little") + b"a" * ((15 << 20) - 4) + "\U0001f600".encode()
LARGE = {
    **BOMBS,
    "a text of megabytes with one wide character": START + b"}" + text("a") + TEXT + b"s.",
    "storage keys of megabytes": one_tensor(key="k" * (8 << 20)),
    "many tensors of many sizes": START
    + tensor_opcodes(shape=(1,) * 16, strides=(1,) * 16)
    + b"0"
    + (b"ctorch._utils\n_rebuild_tensor\nq\x01((" + text("storage") + b"ctorch\nFloatStorage\n" + text("0"))
    + (b"NK\x04tQK\x00(" + b"K\x01" * 16 + b"t(" + b"K\x01" * 16 + b"ttq\x020" + b"h\x01h\x02R0" * 240_000 + b".0"),
}


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="only Linux says what was the most, there")
def test_what_bombs_cost(tmp_path: Path) -> None:
    """All of them in one process, which stays below 200 MB and imports nothing."""
    for index, opcodes in enumerate(LARGE.values()):
        (tmp_path / f"{index}.zip.pth").write_bytes(FORMATS["zip"](opcodes))
        (tmp_path / f"{index}.legacy.pth").write_bytes(FORMATS["legacy"](opcodes))
    packed = zip_of({"x/data.pkl": START + b"}" * 30_000_000}, zipfile.ZIP_DEFLATED)
    (tmp_path / "packed.pth").write_bytes(packed)
    (tmp_path / "lists.safetensors").write_bytes(header_of(b'{"a":[' + b"[]," * 690_000 + b"[]]}"))
    (tmp_path / "mappings.safetensors").write_bytes(header_of(b'{"a":[' + b"{}," * 690_000 + b"{}]}"))
    command = [sys.executable, "-c", MEASURED, *map(str, sorted(tmp_path.iterdir()))]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    imported, kilobytes = result.stdout.splitlines()
    assert imported == "[]"
    assert int(kilobytes) < 200 << 10


def test_the_list_of_storages_of_a_stream_may_be_a_bomb_too() -> None:
    nested = b"\x80\x02])" + b"q\x00h\x00\x86" * 60 + b"a."
    raw = legacy_with_pickle(b"\x80\x02}.").removesuffix(pickle.dumps([], protocol=2)) + nested
    with pytest.raises(cs.CheckpointError, match="the storages that follow its pickles are not those of its tensors"):
        read_manifest(io.BytesIO(raw))
