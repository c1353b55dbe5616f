"""Every checkpoint in a folder, inferred on all cores."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from codecspec.compiler.checkpoints import Manifest, read_manifest
from codecspec.compiler.collector import collect_rarely
from codecspec.compiler.inference.infer import infer_spec
from codecspec.schema.errors import SpecError

ENDINGS = (".safetensors", ".pth", ".pt", ".pth.tar", ".ckpt", ".bin")
"""Files of weights, by their names."""
CHUNK = 8
"""Files that a process takes at a time."""
MAX_KNOWN = 256
"""Checkpoints whose inference a process remembers."""
ENDED = "E-checkpoint: the system ended the process that read it, as it does when memory runs out"
_STOPPING = {getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)}
_HELD = _STOPPING if hasattr(signal, "pthread_sigmask") else set()


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

    path: str = ""
    size: int = 0
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

    Where a process is killed, the files that it may have been reading are read once more, each in a process of its own.

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
    left = paths
    while left:
        count = 0
        try:
            for result in _in_processes(left, workers, CHUNK):
                count += 1
                yield result
        except BrokenProcessPool:
            left = left[count:]
        else:
            return
        # One of the files that were being read ended its process, or too many at once did.
        yield from map(_scan_apart, left[: workers * CHUNK])
        left = left[workers * CHUNK :]


def _scan_apart(path: Path) -> Scanned:
    """`scan_file` in a process of its own, which may be killed."""
    try:
        (found,) = _in_processes([path], 1, 1)
    except BrokenProcessPool:
        return Scanned(path=str(path), size=path.stat().st_size, problem=ENDED)
    return found


def _in_processes(paths: list[Path], workers: int, chunk: int) -> Iterator[Scanned]:
    """`scan_file` of each path, in order.

    Raises:
        BrokenProcessPool: a process was killed; the other ones are ended.
    """
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(workers, initializer=_start_worker)
    try:
        with _signals_held():
            results = pool.map(scan_file, paths, chunksize=chunk)
        yield from results
    except BaseException:
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()


@contextmanager
def _signals_held() -> Iterator[None]:
    """Signals wait while processes are made: Python drops what a handler raises in the middle of a fork, or loses the
    process, and a new process would still answer as its parent does.

    The mask is for the new processes, which inherit it. In this one the system may hand a signal to another thread (a
    progress bar has one), and Python then runs the handler in the main thread all the same, so handlers wait as well.
    """
    came: list[int] = []
    in_main = threading.current_thread() is threading.main_thread()  # no other thread runs handlers, or may change them
    handlers = {number: signal.getsignal(number) for number in _STOPPING if in_main}
    replaced = {number: handler for number, handler in handlers.items() if handler is not None}  # None: not Python's
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD) if _HELD else set()
    for number in replaced:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        if _HELD:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for number, handler in replaced.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


def _start_worker() -> None:
    """Ctrl-C reaches every process of a terminal, as its end does; the parent alone answers, and ends the others."""
    collect_rarely()
    for number in _STOPPING - {signal.SIGTERM}:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if _HELD:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD)


def scan_file(path: Path) -> Scanned:
    """What one checkpoint is, or why that is not known."""
    size = 0
    try:
        size = path.stat().st_size
        found = _inferred(read_manifest(path))
    except SpecError as error:
        found = _not_known(error)
    except OSError as error:
        found = Scanned(problem=f"E-checkpoint: it cannot be read: {error.strerror or error}")
    return replace(found, path=str(path), size=size)


_known: OrderedDict[bytes, Scanned] = OrderedDict()


def _inferred(manifest: Manifest) -> Scanned:
    """What a checkpoint is; those of one training run, with the same tensors, are inferred once."""
    digest = _digest(manifest)
    found = _known.get(digest)
    if found is None:
        found = _known[digest] = _inference(manifest)
        if len(_known) > MAX_KNOWN:
            _known.popitem(last=False)
    return found


def _digest(manifest: Manifest) -> bytes:
    """SHA-256 of all that inference looks at: keys, types and shapes, in their order, and what the file says beside."""
    tensors = [(key, info.dtype, info.shape) for key, info in manifest.items()]
    return hashlib.sha256(json.dumps([tensors, dict(manifest.metadata)]).encode()).digest()


def _inference(manifest: Manifest) -> Scanned:
    try:
        found = infer_spec(manifest)
    except SpecError as error:
        return _not_known(error)
    return Scanned(
        family=found.family,
        overrides=tuple(found.overrides.items()),
        layout=found.layout,
        tensors=len(manifest),
        name=found.spec.name,
    )


def _not_known(error: SpecError) -> Scanned:
    return Scanned(problem=f"{error.code}: {error.message}")
