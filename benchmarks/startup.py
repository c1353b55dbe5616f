"""The cost of starting: `compile-spec --check` as a whole process, and a codec on the meta device.

    .venv/bin/python benchmarks/startup.py

Prints medians and spread over several runs, next to what the project promises for them.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

RUNS = 9
CHECK = [str(Path(sys.executable).parent / "compile-spec"), "--check", "wacnn"]
META = """
import resource, time
import codecspec as cs
import codecspec.runtime.codec
from codecspec.runtime.layers import window_gate
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
cs.compile_spec("wacnn", device="meta")
print(time.perf_counter() - start, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def check_seconds() -> float:
    start = time.perf_counter()
    subprocess.run(CHECK, check=True, capture_output=True)
    return time.perf_counter() - start


def meta_cost() -> tuple[float, float]:
    """Seconds and megabytes of a meta codec, once imports are done."""
    command = [sys.executable, "-W", "ignore", "-c", META]
    seconds, megabytes = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(seconds), float(megabytes)


def row(name: str, values: list[float], unit: str, promised: float) -> None:
    spread = f"{min(values):.3f} .. {max(values):.3f}"
    print(f"{name:44} {statistics.median(values):8.3f} {unit:3} ({spread}), promised under {promised:g}")


def main() -> None:
    row("compile-spec --check wacnn, whole process", [check_seconds() for _ in range(RUNS)], "s", 0.6)
    costs = [meta_cost() for _ in range(RUNS)]
    row('compile_spec("wacnn", device="meta"), time', [seconds for seconds, _ in costs], "s", 0.5)
    row('compile_spec("wacnn", device="meta"), memory', [megabytes for _, megabytes in costs], "MB", 20)


if __name__ == "__main__":
    main()
