"""What coding costs: time by part, page faults and memory, beside what the machine's matrix products reach."""

from __future__ import annotations

import resource
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from codecspec.runtime.codec import Codec
from codecspec.runtime.part_timer import watched_parts
from codecspec.runtime.peak_memory import peak_bytes, reset_peak
from codecspec.schema.errors import UsageError

GEMM_SIDE = 1536
GEMM_RUNS = 7
_CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of something.

    Args:
        seconds: from start to end.
        cpu_seconds: of all threads, in the program and in the kernel.
        page_faults: pages that the kernel had to give (minor faults).
        peak_bytes: the most that was resident meanwhile; where the system cannot say, since the process began.
        parts: what each part took of it.
    """

    seconds: float
    cpu_seconds: float
    page_faults: int
    peak_bytes: int
    parts: dict[str, PartRun] = field(default_factory=dict)


@dataclass(slots=True)
class PartRun:
    """What a part of a codec took of a run; see `part_times` for what is one.

    Args:
        seconds: in its networks; of `coding` all the rest.
        page_faults: meanwhile.
        peak_bytes: the most that was resident meanwhile.
    """

    seconds: float = 0.0
    page_faults: int = 0
    peak_bytes: int = 0


def gemm_rate() -> float:
    """Multiply-accumulates a second of a float32 product of two square matrices: the best of some runs, with as many
    threads as torch has. Convolutions and linear layers are such products at best."""
    a, b = torch.randn(2, GEMM_SIDE, GEMM_SIDE)
    return GEMM_SIDE**3 / min(timed(lambda: a @ b).seconds for _ in range(GEMM_RUNS))


def timed(work: Callable[[], Any]) -> Run:
    """One run of `work`, what it gives dropped."""
    reset_peak(_CPU)
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    work()
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(seconds, cpu, after.ru_minflt - before.ru_minflt, peak_bytes(_CPU))


def timed_by_part(codec: Codec, work: Callable[[], Any], *, peaks: bool = False) -> Run:
    """One run of `work`, which runs a codec's networks; with `peaks` of memory by part too, which takes time itself."""
    parts: dict[str, PartRun] = defaultdict(PartRun)
    meter = _PartMeter(parts, peaks=peaks)
    with watched_parts(codec, meter.enter, meter.leave, finer=True):
        run = timed(work)
    networks, coding = list(parts.values()), parts["coding"]
    coding.seconds = run.seconds - sum(own.seconds for own in networks)
    coding.page_faults = run.page_faults - sum(own.page_faults for own in networks)
    coding.peak_bytes = max(meter.peak_between, run.peak_bytes)
    return replace(run, peak_bytes=max(own.peak_bytes for own in parts.values()), parts=dict(parts))


class _PartMeter:
    """Reads the counts of the process where a network begins and where it ends."""

    def __init__(self, parts: dict[str, PartRun], *, peaks: bool) -> None:
        self._parts = parts
        self._peaks = peaks
        self._page_faults = 0
        self._start = 0.0
        self.peak_between = 0

    def enter(self) -> None:
        if self._peaks:
            self.peak_between = max(self.peak_between, peak_bytes(_CPU))
            reset_peak(_CPU)
        self._page_faults = _page_faults()
        self._start = time.perf_counter()

    def leave(self, part: str) -> None:
        own = self._parts[part]
        own.seconds += time.perf_counter() - self._start
        own.page_faults += _page_faults() - self._page_faults
        if self._peaks:
            own.peak_bytes = max(own.peak_bytes, peak_bytes(_CPU))
            reset_peak(_CPU)


@torch.no_grad()
def measure(codec: Codec, x: Tensor, runs: int) -> dict[str, list[Run]]:
    """`forward`, `compress` and `decompress` of an image, by turns, after a round that is not counted.

    The peaks of memory by part, the same in all runs of a work, are those of one run more, which is not counted either.
    """
    coded = codec.compress(x)
    works: dict[str, Callable[[], Any]] = {
        "forward": lambda: codec(x),
        "compress": lambda: codec.compress(x),
        "decompress": lambda: codec.decompress(coded["strings"], coded["shape"]),
    }
    for work in works.values():
        work()
    found: dict[str, list[Run]] = {name: [] for name in works}
    for _ in range(runs):
        for name, work in works.items():
            found[name].append(timed_by_part(codec, work))
    for name, work in works.items():
        peaks = timed_by_part(codec, work, peaks=True).parts
        for run in found[name]:
            for part, own in run.parts.items():
                own.peak_bytes = peaks[part].peak_bytes
    return found


@torch.no_grad()
def measure_compiled(codec: Codec, x: Tensor, runs: int) -> dict[str, list[Run]]:
    """`inductor, first`: one forward that compiles itself; `inductor, forward`: forwards after that one.

    Raises:
        UsageError: what inductor needs is not there, such as a C++ compiler.
    """
    from torch._dynamo.exc import BackendCompilerFailed  # some seconds, which those who do not compile are spared

    compiled = torch.compile(codec, fullgraph=True)
    try:
        first = timed(lambda: compiled(x))
    except BackendCompilerFailed as error:
        said = next((line for line in str(error.inner_exception).splitlines() if line.strip()), "")
        raise UsageError("E-usage", "--inductor", f"it cannot compile here: {said}") from error
    return {"inductor, first": [first], "inductor, forward": [timed(lambda: compiled(x)) for _ in range(runs)]}


def _page_faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
