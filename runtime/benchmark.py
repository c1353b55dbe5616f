"""What coding costs: time by part, page faults and memory, beside what the machine's matrix products reach."""

from __future__ import annotations

import platform
import resource
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from codecspec.runtime.codec import Codec
from codecspec.runtime.part_timer import part_times

GEMM_SIDE = 1536
GEMM_RUNS = 7
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of something.

    Args:
        seconds: from start to end.
        cpu_seconds: of all threads, in the program and in the kernel.
        page_faults: pages that the kernel had to give (minor faults).
        peak_bytes: the most that was resident meanwhile; where the system cannot say, since the process began.
        parts: seconds by part.
    """

    seconds: float
    cpu_seconds: float
    page_faults: int
    peak_bytes: int
    parts: dict[str, float] = field(default_factory=dict)


def gemm_rate() -> float:
    """Multiply-accumulates a second of a float32 product of two square matrices: the best of some runs, with as many
    threads as torch has. Convolutions and linear layers are such products at best."""
    a, b = torch.randn(2, GEMM_SIDE, GEMM_SIDE)
    return GEMM_SIDE**3 / min(timed(lambda: a @ b).seconds for _ in range(GEMM_RUNS))


def timed(work: Callable[[], Any]) -> Run:
    """One run of `work`, what it gives dropped."""
    _reset_peak()
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    work()
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(seconds, cpu, after.ru_minflt - before.ru_minflt, _peak())


def timed_by_part(codec: Codec, work: Callable[[], Any]) -> Run:
    """One run of `work`, which runs a codec's networks."""
    with part_times(codec, finer=True) as parts:
        run = timed(work)
    return Run(run.seconds, run.cpu_seconds, run.page_faults, run.peak_bytes, dict(parts))


@torch.no_grad()
def measure(codec: Codec, x: Tensor, runs: int) -> dict[str, list[Run]]:
    """`forward`, `compress` and `decompress` of an image, by turns, after a round that is not counted."""
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
    return found


def machine() -> dict[str, Any]:
    """What the figures depend on beside the model."""
    names = [line for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    cpu = names[0].partition(":")[2].strip() if names else platform.processor()
    return {"cpu": cpu, "threads": torch.get_num_threads(), "torch": torch.__version__}


def _reset_peak() -> None:
    with suppress(OSError):
        _CLEAR.write_text("5")  # Linux: the peak starts anew from what is resident


def _peak() -> int:
    kib = [int(line.split()[1]) for line in _lines(str(_STATUS)) if line.startswith("VmHWM:")]
    return 1024 * (kib[0] if kib else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def _lines(path: str) -> list[str]:
    with suppress(OSError):
        return Path(path).read_text().splitlines()
    return []
