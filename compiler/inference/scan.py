"""Every checkpoint in a folder, inferred on all cores."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from codecspec.compiler.checkpoints import Manifest, read_manifest
from codecspec.compiler.inference.infer import Inference, infer_spec
from codecspec.schema.errors import SpecError

ENDINGS = (".safetensors", ".pth", ".pt", ".pth.tar", ".ckpt", ".bin")
"""Files of weights, by their names."""
CHUNK = 8
"""Files that a process takes at a time."""
MAX_KNOWN = 32
"""Inferences that a process keeps."""
_HELD = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP} if hasattr(signal, "pthread_sigmask") else set()


@dataclass(frozen=True, slots=True)
class Scanned:
    """One checkpoint.

    Args:
        path: where it is.
        size: of the file, in bytes.
        family: the zoo spec that it is; None where there is none.
        overrides: the params that differ from the family's own.
        layout: the layout of its keys; empty where there is none.
        tensors: how many it has.
        name: of its spec, where it has one of no family.
        problem: why there is no spec; empty where there is one.
    """

    path: str
    size: int
    family: str | None = None
    overrides: tuple[tuple[str, Any], ...] = ()
    layout: str = ""
    tensors: int = 0
    name: str = ""
    problem: str = ""


def checkpoints_below(folder: str | os.PathLike[str]) -> list[Path]:
    """Every file of weights below a folder, in order; links to folders are not followed."""
    found: list[Path] = []
    for root, folders, files in os.walk(folder):
        folders.sort()
        found += [Path(root) / name for name in sorted(files) if name.endswith(ENDINGS)]
    return found


def scan(paths: list[Path], *, workers: int | None = None, done: Callable[[], None] | None = None) -> list[Scanned]:
    """What each checkpoint is, or why that is not known, in the order of `paths`.

    Args:
        paths: files of weights.
        workers: processes; one per core by default, and none of its own for a few files.
        done: called after each file.
    """
    count = min(workers or os.cpu_count() or 1, -(-len(paths) // CHUNK))
    results: list[Scanned] = []
    for result in _results(paths, count):
        results.append(result)
        if done is not None:
            done()
    return results


def _results(paths: list[Path], workers: int) -> Iterator[Scanned]:
    if workers <= 1:
        yield from map(scan_file, paths)
        return
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(workers, initializer=_leave_signals_to_the_parent)
    try:
        with _signals_held():
            results = pool.map(scan_file, paths, chunksize=CHUNK)
        yield from results
    except BaseException:
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()


@contextmanager
def _signals_held() -> Iterator[None]:
    """Signals wait while processes are made: Python drops what a handler raises in the middle of a fork, and a new
    process would still answer as its parent does."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD) if _HELD else set()
    try:
        yield
    finally:
        if _HELD:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _leave_signals_to_the_parent() -> None:
    """Ctrl-C reaches every process of a terminal; the parent alone answers it, and ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if _HELD:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD)


class _SameTensors:
    """A manifest that equals every other of the same tensors: those of one training run are inferred once."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self._tensors = (tuple(manifest.items()), tuple(manifest.metadata.items()))

    def __hash__(self) -> int:
        return hash(self._tensors)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _SameTensors) and self._tensors == other._tensors


@lru_cache(MAX_KNOWN)
def _inferred(same: _SameTensors) -> Inference:
    return infer_spec(same.manifest)


def scan_file(path: Path) -> Scanned:
    """What one checkpoint is, or why that is not known."""
    size = 0
    try:
        size = path.stat().st_size
        manifest = read_manifest(path)
        found = _inferred(_SameTensors(manifest))
    except SpecError as error:
        return Scanned(str(path), size, problem=f"{error.code}: {error.message}")
    except OSError as error:
        return Scanned(str(path), size, problem=f"E-checkpoint: it cannot be read: {error.strerror or error}")
    return Scanned(
        str(path),
        size,
        found.family,
        tuple(found.overrides.items()),
        found.layout,
        len(manifest),
        found.spec.name,
    )
