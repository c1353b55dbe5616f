"""A scan remembers what it inferred by the tensors alone, and no checkpoint's answer becomes another's."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
from collections import OrderedDict
from pathlib import Path

import pytest

from codecspec.compiler.checkpoints import TensorInfo
from codecspec.compiler.inference import scan
from codecspec.compiler.lower import lower
from codecspec.schema.load import load_spec
from tests.compiler.inference.manifests import canonical_infos


def written(path: Path, infos: dict[str, TensorInfo], **metadata: str) -> Path:
    """A safetensors file with these tensors and holes in place of their values."""
    header: dict[str, object] = {"__metadata__": metadata} if metadata else {}
    end = 0
    for key, info in infos.items():
        start, end = end, end + info.nbytes
        kind = {"float32": "F32", "int32": "I32"}[info.dtype]
        header[key] = {"dtype": kind, "shape": info.shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)
    return path


def hyperprior(**params: int) -> dict[str, TensorInfo]:
    return canonical_infos(lower(load_spec("bmshj2018-hyperprior", **params)))


@pytest.fixture
def inferred(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The checkpoints that are inferred, as they come."""
    sources: list[str] = []
    real = scan.infer_spec

    def infer_spec(manifest: scan.Manifest) -> object:
        sources.append(Path(manifest.source).name)
        return real(manifest)

    monkeypatch.setattr(scan, "infer_spec", infer_spec)
    monkeypatch.setattr(scan, "_known", OrderedDict())
    return sources


def test_checkpoints_of_one_run_are_inferred_once(tmp_path: Path, inferred: list[str]) -> None:
    paths = [written(tmp_path / name, hyperprior(N=8, M=16)) for name in ("a.safetensors", "b.safetensors")]
    first, second = scan.scan(paths, workers=1)
    assert inferred == ["a.safetensors"]
    assert (first.path, second.path) == (str(paths[0]), str(paths[1]))
    assert first.family == second.family == "bmshj2018-hyperprior"
    assert dict(second.overrides) == {"N": 8, "M": 16}


def test_other_shapes_under_the_same_keys_are_another_model(tmp_path: Path, inferred: list[str]) -> None:
    paths = [written(tmp_path / f"{m}.safetensors", hyperprior(N=8, M=m)) for m in (16, 24, 32)]
    assert [dict(row.overrides)["M"] for row in scan.scan(paths, workers=1)] == [16, 24, 32]
    assert len(inferred) == 3


def test_what_a_file_says_beside_its_tensors_counts(tmp_path: Path, inferred: list[str]) -> None:
    infos = hyperprior(N=8, M=16)
    paths = [written(tmp_path / "a.safetensors", infos), written(tmp_path / "b.safetensors", infos, said="otherwise")]
    scan.scan(paths, workers=1)
    assert inferred == ["a.safetensors", "b.safetensors"]


def test_why_there_is_no_spec_is_remembered_too(tmp_path: Path, inferred: list[str]) -> None:
    infos = {**hyperprior(N=8, M=16), "g_a.99.weight": TensorInfo("float32", (3,))}
    paths = [written(tmp_path / name, infos) for name in ("a.safetensors", "b.safetensors")]
    first, second = scan.scan(paths, workers=1)
    assert inferred == ["a.safetensors"]
    assert first.problem == second.problem
    assert first.problem.startswith("E-infer: ")
    assert second.path == str(paths[1])


def test_a_bounded_number_is_remembered(tmp_path: Path, inferred: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "MAX_KNOWN", 2)
    paths = [written(tmp_path / f"{m}.safetensors", hyperprior(N=8, M=m)) for m in (16, 24, 32)]
    scan.scan([*paths, paths[2], paths[0]], workers=1)
    assert inferred == ["16.safetensors", "24.safetensors", "32.safetensors", "16.safetensors"]


def test_a_file_that_cannot_be_read_is_a_row(tmp_path: Path, inferred: list[str]) -> None:
    (row,) = scan.scan([tmp_path / "none.pth"], workers=1)
    assert row.problem == "E-checkpoint: it cannot be read: No such file or directory"
    assert inferred == []


def deadly(monkeypatch: pytest.MonkeyPatch, name: str, *, until: Path | None = None) -> None:
    """Have the system kill whoever infers the checkpoint of that name; only as long as `until` is not there."""
    if multiprocessing.get_start_method() != "fork":
        pytest.skip("only a forked process has what is patched here")
    real = scan.infer_spec

    def infer_spec(manifest: scan.Manifest) -> object:
        if Path(manifest.source).name == name and (until is None or not until.exists()):
            if until is not None:
                until.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return real(manifest)

    monkeypatch.setattr(scan, "infer_spec", infer_spec)


@pytest.mark.parametrize("bad", [0, 3, 39])
def test_a_file_that_ends_its_process_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: int) -> None:
    deadly(monkeypatch, f"{bad}.safetensors")
    paths = [written(tmp_path / f"{i}.safetensors", hyperprior(N=8, M=16 + i)) for i in range(40)]
    seen: list[None] = []
    rows = scan.scan(paths, workers=2, done=lambda: seen.append(None))
    assert [row.path for row in rows] == list(map(str, paths))
    assert len(seen) == 40
    for i, row in enumerate(rows):
        assert row.size == paths[i].stat().st_size
        assert row.problem == (scan.ENDED if i == bad else "")
        assert i == bad or dict(row.overrides) == {"N": 8, "M": 16 + i}
    assert multiprocessing.active_children() == []


def test_a_process_that_was_killed_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deadly(monkeypatch, "9.safetensors", until=tmp_path / "killed")
    paths = [written(tmp_path / f"{i}.safetensors", hyperprior(N=8, M=16 + i)) for i in range(24)]
    rows = scan.scan(paths, workers=2)
    assert (tmp_path / "killed").exists()
    assert [dict(row.overrides).get("M") for row in rows] == [16 + i for i in range(24)]


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="there is no mask to inherit")
def test_a_signal_waits_while_processes_are_made_whichever_thread_takes_it() -> None:
    """A progress bar has a thread, to which the system may hand a signal that the main thread holds back."""
    end = threading.Event()
    other = threading.Thread(target=end.wait)
    reached: list[str] = []

    def held() -> None:
        with scan._signals_held():
            os.kill(os.getpid(), signal.SIGINT)
            for _ in range(100):  # time for the other thread, and for Python to run what a handler raises
                end.wait(0.001)
            reached.append("the end")

    other.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            held()
    finally:
        end.set()
        other.join()
    assert reached == ["the end"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, []) & scan._HELD


def test_signals_are_left_alone_outside_the_main_thread() -> None:
    came: list[BaseException | None] = []

    def held() -> None:
        try:
            with scan._signals_held():
                came.append(None)
        except BaseException as error:
            came.append(error)

    thread = threading.Thread(target=held)
    thread.start()
    thread.join()
    assert came == [None]
