"""`codecspec bench` measures a model, writes JSON, and compares two such files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import codecspec as cs
from codecspec.cli.bench import _figures
from codecspec.runtime.benchmark import PartRun, Run
from tests.cli.conftest import Command

SMALL = ("wacnn", "--set", "N=16", "--set", "M=40", "--set", "slices=5", "--size", "100x60", "--runs", "2")


def measured(command: Command, file: Path, *options: str) -> dict[str, object]:
    done = command("codecspec", "bench", *SMALL, "--no-keep-memory", "-o", str(file), *options)
    assert done.code == 0, done.err
    found: dict[str, object] = json.loads(file.read_text())
    return found


def test_every_part_has_its_figures(command: Command, tmp_path: Path) -> None:
    done = command("codecspec", "bench", *SMALL, "--no-keep-memory", "-o", str(tmp_path / "a.json"))
    found = json.loads((tmp_path / "a.json").read_text())
    assert list(found["work"]) == ["load", "forward", "compress", "decompress"]
    assert (found["size"], found["numerics"], found["kept_memory"]) == ("100x60", "fast", False)
    assert len(found["gemm_gmacs_per_second"]) == 2
    assert min(found["gemm_gmacs_per_second"]) > 0
    slices = {f"context, slice {k}" for k in range(5)}
    forward = found["work"]["forward"]
    assert set(forward["parts"]) == {"g_a", "g_s", "hyper, h_a", "hyper, h_s", "coding"} | slices
    for own in found["work"].values():
        assert {len(own[key]) for key in ("seconds", "cpu_seconds", "page_faults", "peak_mib")} == {2}
        assert min(own["seconds"]) > 0
        assert min(own["peak_mib"]) > 10
        assert own["parts"].keys() == own["part_page_faults"].keys() == own["part_peak_mib"].keys()
        assert all(10 < peak <= max(own["peak_mib"]) * 1.5 for peak in own["part_peak_mib"].values())
    assert sum(values[0] for values in forward["part_page_faults"].values()) == forward["page_faults"][0]
    assert sum(values[0] for values in forward["parts"].values()) == pytest.approx(forward["seconds"][0], rel=0.2)
    plan = cs.lower(cs.load_spec("wacnn", N=16, M=40, slices=5))
    assert sum(found["gmacs"].values()) == pytest.approx(float(sum(plan.macs_by_part().values())) * 128 * 64 / 1e9)
    assert {"g_a", "g_s", "hyper, h_a", *slices} <= set(found["gmacs"])
    titles = done.out.splitlines()[0]
    assert all(title in titles for title in ("median s", "GFLOP", "of GEMM", "page faults", "peak MiB"))
    assert "GEMM" in done.err
    assert "numerics fast" in done.err


def test_runs_in_units_of_the_document() -> None:
    runs = [
        Run(1.5, 2.5, 30, 3 * 1024 * 1024, {"g_a": PartRun(0.5, 7, 5 * 1024 * 1024), "coding": PartRun(1.0, 23, 1024)}),
        Run(
            1.25,
            2.0,
            20,
            1024 * 1024 // 2,
            {"g_a": PartRun(0.25, 6, 5 * 1024 * 1024), "coding": PartRun(1.0, 14, 1024)},
        ),
    ]
    assert _figures(runs) == {
        "seconds": [1.5, 1.25],
        "cpu_seconds": [2.5, 2.0],
        "page_faults": [30, 20],
        "peak_mib": [3.0, 0.5],
        "parts": {"g_a": [0.5, 0.25], "coding": [1.0, 1.0]},
        "part_page_faults": {"g_a": [7, 6], "coding": [23, 14]},
        "part_peak_mib": {"g_a": 5.0, "coding": 1 / 1024},
    }


def test_the_table_by_hand(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Medians, shares and units of runs that are given; a MAC is two FLOP, and GEMM's rate is the better of its two."""
    forward = {
        "seconds": [0.5, 0.25, 4.0],
        "cpu_seconds": [1.0, 9.0, 2.0],
        "page_faults": [30, 1_000, 70_000],
        "peak_mib": [900.4, 1_200.6, 1_000.0],
        "parts": {"g_a": [0.125, 0.2, 0.1], "coding": [0.3, 0.0, 0.06]},
        "part_page_faults": {"g_a": [5, 1, 300], "coding": [2_000, 3, 4]},
        "part_peak_mib": {"g_a": 1_024.3, "coding": 12.0},
    }
    load = {**forward, "seconds": [2.0], "cpu_seconds": [2.5], "page_faults": [7], "peak_mib": [80.0], "parts": {}}
    content = {
        "model": "m.safetensors",
        "numerics": "fast",
        "kept_memory": True,
        "size": "30x20",
        "machine": {"cpu": "A CPU", "threads": 3, "torch": "9.9"},
        "gemm_gmacs_per_second": [40.0, 50.0],
        "gmacs": {"g_a": 5.0, "g_s": 600.0},
        "work": {"load": load, "forward": forward},
    }
    monkeypatch.setattr("codecspec.cli.bench._measured", lambda *given: content)
    done = command("codecspec", "bench", "m.safetensors")
    assert [" ".join(line.split()) for line in done.out.splitlines()] == [
        "median s min max CPU s GFLOP of GEMM page faults peak MiB",
        "load 2.000 2.000 2.000 2.500 7 80",
        "forward 0.500 0.250 4.000 2.000 10.00 20% 1,000 1,201",
        "g_a 0.125 0.100 0.200 10.00 80% 5 1,024",
        "coding 0.060 0.000 0.300 4 12",
    ]
    assert done.err.splitlines() == [
        "m.safetensors at 30x20, numerics fast, freed memory kept, 3 threads of A CPU, torch 9.9; "
        "GEMM 100 GFLOP/s in the same run",
        "note: GEMM went from 80 to 100 GFLOP/s meanwhile: the machine was busy, try again",
    ]


def test_a_forward_by_inductor_stands_beside(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What inductor makes is torch's affair; here the graph runs as it is."""
    asked: list[dict[str, object]] = []

    def eager(codec: torch.nn.Module, **options: object) -> torch.nn.Module:
        asked.append(options)
        return codec

    monkeypatch.setattr(torch, "compile", eager)
    found = measured(command, tmp_path / "a.json", "--inductor")
    assert asked == [{"fullgraph": True}]
    work = found["work"]
    assert isinstance(work, dict)
    assert [len(work[name]["seconds"]) for name in ("inductor, first", "inductor, forward")] == [1, 2]
    again = command("codecspec", "bench", "--compare", str(tmp_path / "a.json"), str(tmp_path / "a.json"))
    assert "inductor, forward" in again.out


def test_where_inductor_cannot_compile_is_told(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> None:
        raise RuntimeError("no C++ compiler found")

    real = torch.compile
    monkeypatch.setattr(torch, "compile", lambda codec, **options: real(codec, backend=broken, **options))
    done = command("codecspec", "bench", "bmshj2018-factorized", "--set", "N=8", "--size", "16x16", "--runs", "1",
                   "--no-keep-memory", "--inductor")  # fmt: skip
    assert (done.code, done.out) == (2, "")
    assert "E-usage at --inductor: it cannot compile here" in done.said
    assert "no C++ compiler found" in done.said


@pytest.mark.parametrize(("before", "after", "busy"), [(100.0, 99.0, False), (100.0, 50.0, True), (50.0, 100.0, True)])
def test_a_busy_machine_is_told(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: float, after: float, busy: bool
) -> None:
    rates = iter([before * 1e9, after * 1e9])
    monkeypatch.setattr("codecspec.runtime.benchmark.gemm_rate", lambda: next(rates))
    done = command("codecspec", "bench", *SMALL, "--no-keep-memory")
    assert (f"from {2 * before:.0f} to {2 * after:.0f} GFLOP/s meanwhile" in done.err) is busy


def test_two_files_are_compared(command: Command, tmp_path: Path) -> None:
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    found = measured(command, first, "--numerics", "reference")
    work = found["work"]
    assert isinstance(work, dict)
    for own in work.values():
        own["seconds"] = [seconds / 4 for seconds in own["seconds"]]
    second.write_text(json.dumps({**found, "size": "1x1", "machine": {}}))
    seconds = work["forward"]["seconds"]
    again = json.loads(command("codecspec", "bench", "--compare", str(first), str(second), "--json").out)["work"]
    assert again["forward"]["first_s"] == pytest.approx(4 * sum(seconds) / 2), "the median of two is their mean"
    assert again["forward"]["second_s"] == pytest.approx(sum(seconds) / 2)
    done = command("codecspec", "bench", "--compare", str(first), str(second))
    rows = {line[:18].strip(): line.split() for line in done.out.splitlines()[1:]}
    assert rows["forward"] == ["forward", f"{2 * sum(seconds):.3f}", f"{sum(seconds) / 2:.3f}", "4.00"]
    assert rows["g_a"][-1] == "1.00"
    assert "the two differ in size, machine: " in done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["wacnn", "tcm"], "one model is measured in a process; found 2"),
        (["--compare", "a.json"], "two JSON files are compared, and 1 were given"),
        (["--compare", "none.json", "none.json"], "E-usage at none.json: not a file"),
        (["wacnn", "--size", "100"], "a size is width and height"),
        (["wacnn", "--size", "100x0"], "E-usage at --size 100x0: an image's sides are 1 to 65535 pixels"),
        (["wacnnn"], "wacnn"),
        (["none.safetensors"], "none.safetensors"),
    ],
)
def test_wrong_use_is_told(command: Command, arguments: list[str], said: str) -> None:
    done = command("codecspec", "bench", *arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.said


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "Expecting value"),
        ("[" * 100_000, "maximum recursion depth"),
        ("[]", "it has no `work`"),
        ("{}", "it has no `work`"),
        ('{"work": []}', "work: Input should be"),
        ('{"work": {"load": 3}}', "work.load: Input should be"),
        ('{"work": {"load": {"seconds": [1]}}}', "work.load.parts: Field required"),
        ('{"work": {"load": {"seconds": [], "parts": {}}}}', "work.load.seconds: List should have at least 1 item"),
        *(
            (
                f'{{"work": {{"load": {{"seconds": [{seconds}], "parts": {{}}}}}}}}',
                "work.load.seconds.0: Input should be",
            )
            for seconds in ('"1"', "null", "true", "[1]", "NaN", "1e999", "-1", "9" * 400, "9" * 5_000)
        ),
        ('{"work": {"load": {"seconds": {"1": 1}, "parts": {}}}}', "work.load.seconds: Input should be a valid list"),
        ('{"work": {"load": {"seconds": [1], "parts": {"g_a": "123"}}}}', "work.load.parts.g_a: Input should be"),
    ],
)
def test_a_file_that_is_none_of_ours_is_told(command: Command, tmp_path: Path, content: str, why: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(content)
    done = command("codecspec", "bench", "--compare", str(file), str(file))
    assert (done.code, done.out) == (2, "")
    assert f"not a file that `codecspec bench -o` wrote: {why}" in done.said


def test_names_in_a_file_are_one_line_each(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    work = {"\x1b[2J[bold]\n": {"seconds": [2], "parts": {"[red]": [0]}}}
    file.write_text(json.dumps({"work": work}))
    lines = command("codecspec", "bench", "--compare", str(file), str(file)).out.splitlines()
    assert [line.split() for line in lines[1:]] == [
        [r"\x1b[2J[bold]\n", "2.000", "2.000", "1.00"],
        ["[red]", "0.000", "0.000"],
    ]
