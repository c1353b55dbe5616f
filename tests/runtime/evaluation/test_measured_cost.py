"""Times and memory against other clocks and other counts: steps that take a known time, allocations of a known size."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import codecspec as cs
from codecspec import evaluation
from codecspec.runtime import benchmark
from codecspec.runtime.evaluation import measurement, run
from codecspec.runtime.evaluation.read_ahead import ReadAhead
from tests.runtime.small_codecs import small

ENCODE_S, DECODE_S, OPEN_S, BETWEEN_S, WARM_S = 2.5, 1.25, 4.0, 0.5, 0.25


class Clock:
    """Stands still but where it is told to go on."""

    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        return self.now

    def takes(self, seconds: float, work: Any) -> Any:
        def slow(*given: Any, **named: Any) -> Any:
            self.now += seconds
            return work(*given, **named)

        return slow


def clock_of_steps(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of all that is measured; only opening, warming up and encoding move it."""
    clock = Clock()
    for module in (evaluation, measurement, run):
        monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=clock.perf_counter))
    monkeypatch.setattr(evaluation, "_opened", clock.takes(OPEN_S, evaluation._opened))
    monkeypatch.setattr(run, "encode_image", clock.takes(WARM_S, run.encode_image))
    monkeypatch.setattr(measurement, "encode_image", clock.takes(ENCODE_S, measurement.encode_image))
    return clock


def test_times_are_those_of_a_clock_that_only_coding_moves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.png", "b.png"):
        Image.new("RGB", (40, 30), (90, 120, 30)).save(tmp_path / name)
    cs.save(small("mbt2018-mean"), tmp_path / "x.safetensors")
    clock = clock_of_steps(monkeypatch)
    monkeypatch.setattr(measurement, "decode_image", clock.takes(DECODE_S, measurement.decode_image))
    monkeypatch.setattr(measurement, "quality", clock.takes(BETWEEN_S, measurement.quality))
    found = cs.evaluate([tmp_path / "x.safetensors"], tmp_path)
    assert [(row.measured.encode_s, row.measured.decode_s) for row in found.rows] == [(ENCODE_S, DECODE_S)] * 2
    assert found.opening_s == OPEN_S
    assert found.coding_s == 2 * (ENCODE_S + DECODE_S)
    assert found.warming_s == WARM_S
    assert found.wall_s == OPEN_S + WARM_S + 2 * (ENCODE_S + DECODE_S + BETWEEN_S)
    assert found.models[0].averages is not None
    assert (found.models[0].averages.encode_s, found.models[0].averages.decode_s) == (ENCODE_S, DECODE_S)


def test_times_of_several_models_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (40, 30), (90, 120, 30)).save(tmp_path / "a.PNG")
    for name in ("x", "y"):
        cs.save(small("mbt2018-mean"), tmp_path / f"{name}.safetensors")
    clock_of_steps(monkeypatch)
    models = [tmp_path / name for name in ("x.safetensors", "none.safetensors", "y.safetensors")]
    found = cs.evaluate(models, tmp_path)
    assert [(row.model, row.image) for row in found.rows] == [(str(models[0]), "a.PNG"), (str(models[2]), "a.PNG")]
    assert (found.opening_s, found.warming_s, found.coding_s) == (3 * OPEN_S, 2 * WARM_S, 2 * ENCODE_S)
    assert found.wall_s == found.opening_s + found.warming_s + found.coding_s


@pytest.mark.parametrize("estimate", [False, True])
def test_a_peak_is_that_of_coding_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, estimate: bool) -> None:
    """It begins anew with each image, and ends before the next image is read or any two are compared."""
    for name in ("a.png", "b.png"):
        Image.new("RGB", (40, 30), (90, 120, 30)).save(tmp_path / name)
    codec, done = small("mbt2018-mean"), ["reset"]

    def note(name: str, gives: Any) -> Any:
        def noted(*given: Any, **named: Any) -> Any:
            done.append(name)
            return gives(*given, **named)

        return noted

    monkeypatch.setattr(measurement, "reset_peak", note("reset", lambda device: None))
    monkeypatch.setattr(measurement, "peak_bytes", note("peak", lambda device: 1000 + len(done)))
    monkeypatch.setattr(measurement, "quality", note("compare", measurement.quality))
    monkeypatch.setattr(measurement, "encode_image", note("encode", measurement.encode_image))
    monkeypatch.setattr(measurement, "decode_image", note("decode", measurement.decode_image))
    monkeypatch.setattr(ReadAhead, "begin", note("read", ReadAhead.begin))
    codec.register_forward_hook(lambda *_: done.append("forward"))
    found = cs.evaluate(codec, tmp_path, estimate=estimate)
    coding = ["forward"] if estimate else ["encode", "decode"]
    text = " ".join(done)
    assert text.count(" ".join(["reset", *coding, "peak", "read", "compare"])) == 2, text
    peaks = [1001 + k for k, name in enumerate(done) if name == "peak"]
    assert [row.measured.peak_bytes for row in found.rows] == peaks
    assert found.models[0].averages is not None
    assert found.models[0].averages.peak_bytes == max(peaks)


def test_the_parts_are_within_the_time_that_passed_outside(tmp_path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    codec = small("mbt2018-mean")
    start = time.monotonic()
    found = cs.evaluate(codec, tmp_path)
    passed = time.monotonic() - start
    assert 0 < found.coding_s <= found.wall_s <= passed


ALLOCATES = """
import json, torch
from codecspec.runtime.peak_memory import peak_bytes, reset_peak
MIB = 1 << 20
ones = bytearray(b"\\1") * (700 * MIB)   # a peak before the one that is asked for
del ones
reset_peak(torch.device("cpu"))
before = int(open("/proc/self/statm").read().split()[1]) * 4096
more = bytearray(b"\\1") * (300 * MIB)
del more
print(json.dumps([before, peak_bytes(torch.device("cpu"))]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere a process has one peak")
def test_a_peak_is_what_was_allocated() -> None:
    with subprocess.Popen([sys.executable, "-c", ALLOCATES], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        before, peak = json.loads(child.stdout.read())
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    assert (peak - before) / 2**20 == pytest.approx(300, abs=15)
    assert peak <= 1024 * used.ru_maxrss or used.ru_maxrss < 700 * 1024, "of the process the kernel says the same"


TOUCHES = """
import json, mmap
from codecspec.runtime.benchmark import timed
PAGES = 20_000
memory = mmap.mmap(-1, PAGES * mmap.PAGESIZE)
memory.madvise(mmap.MADV_NOHUGEPAGE)
def touch():
    for page in range(PAGES):
        memory[page * mmap.PAGESIZE] = 1
print(json.dumps([timed(touch).page_faults, timed(touch).page_faults, timed(lambda: sum(range(10**7))).cpu_seconds]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="pages are counted as Linux gives them")
def test_page_faults_are_the_pages_that_were_touched() -> None:
    done = subprocess.run([sys.executable, "-c", TOUCHES], capture_output=True, text=True, check=True)
    first, again, cpu = json.loads(done.stdout)
    assert 20_000 <= first < 21_000
    assert again < 1_000
    assert cpu > 0


def test_cpu_time_is_that_of_the_program_and_of_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = (
        {"ru_utime": 1.0, "ru_stime": 10.0, "ru_minflt": 5},
        {"ru_utime": 3.5, "ru_stime": 14.0, "ru_minflt": 12},
    )
    usages = iter([SimpleNamespace(**before), SimpleNamespace(**after)])
    used = SimpleNamespace(RUSAGE_SELF=0, getrusage=lambda _: next(usages))
    monkeypatch.setattr(benchmark, "resource", used)
    found = benchmark.timed(lambda: None)
    assert (found.cpu_seconds, found.page_faults) == (6.5, 7)
