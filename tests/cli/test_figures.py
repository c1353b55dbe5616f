"""Every figure that a command prints is held against a computation that is not its own; this is the list of where.

`FIGURES` names, for each number in a command's `--json` (which has what the text has), the test that does so, and
`TEXTS` the test of how the text shows it. A number that no line takes, or a test that is not there, fails. Where
several commands print one computation (`zoo`, `stats` and `compile-spec` the plan's, `compress`, `eval` and `stream`
the coder's), its test counts.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest
import torch

import codecspec as cs
from codecspec.runtime.image_files import read_image
from tests.cli.conftest import Command
from tests.cli.test_habits import COMMANDS, EVERY, folder, run
from tests.contracts.source_files import ROOT
from tests.runtime.small_codecs import SMALL

__all__ = ["folder"]

HERE = "cli/test_figures.py::"
PARAMETERS = f"{HERE}test_parameters_are_those_of_the_module"
MACS = "compiler/test_statistics.py::test_macs_are_half_of_torchs_flop_to_a_percent"
ACTIVATIONS = "compiler/test_statistics.py::test_activations_are_what_torch_holds"
OF_AN_IMAGE = "runtime/evaluation/test_evaluate.py::test_every_figure_of_an_image"
MEANS = "runtime/evaluation/test_evaluate.py::test_averages"
CLOCK = "runtime/evaluation/test_measured_cost.py::test_times_are_those_of_a_clock_that_only_coding_moves"
PEAK = "runtime/evaluation/test_measured_cost.py::test_a_peak_is_what_was_allocated"
FAULTS = "runtime/evaluation/test_measured_cost.py::test_page_faults_are_the_pages_that_were_touched"
PARTS = "runtime/test_part_timer.py::test_the_sum_is_the_time_that_passed"
BYTES = "cli/test_stream.py::test_every_byte_is_accounted_for"
FILE_SIZE = f"{HERE}test_sizes_are_those_of_the_files"
DOCTOR = "diagnosis/test_diagnose.py::test_figures_of_an_image"
GIVEN = "it is what was given, or a name"

FIGURES: dict[str, dict[str, str]] = {
    "compile-spec": {
        "params.*": GIVEN,
        "stride": "runtime/test_padding.py::",
        "tensors": PARAMETERS,
        "parameters*": PARAMETERS,
        "macs_per_pixel_by_part.*": MACS,
    },
    "infer-spec": {
        "params.*": "compiler/inference/test_families.py::",
        "overrides.*": "compiler/inference/test_families.py::",
        "evidence.*": "compiler/inference/test_families.py::",
        "tensors": FILE_SIZE,
    },
    "codecspec bd": {"*": "runtime/test_bjontegaard.py::test_the_figures_are_those_of_the_package"},
    "codecspec bench": {
        "gemm_gmacs_per_second.*": f"{HERE}test_the_rate_of_gemm",
        "gmacs.*": MACS,
        "machine.threads": GIVEN,
        "work.*.seconds.*": f"{HERE}test_bench_is_within_the_time_that_passed_outside",
        "work.*.cpu_seconds.*": f"{HERE}test_bench_is_within_the_time_that_passed_outside",
        "work.*page_faults.*": FAULTS,
        "work.*peak_mib.*": PEAK,
        "work.*.parts.*": PARTS,
    },
    "codecspec compress": {
        "files.*.width": OF_AN_IMAGE,
        "files.*.height": OF_AN_IMAGE,
        "files.*.bytes": FILE_SIZE,
        "files.*.bits_per_pixel": FILE_SIZE,
        "files.*.seconds.*": PARTS,
    },
    "codecspec convert": {"bytes": FILE_SIZE},
    "codecspec decompress": {
        "files.*.width": OF_AN_IMAGE,
        "files.*.height": OF_AN_IMAGE,
        "files.*.bit_depth": "cli/test_many_files.py::test_grey_and_16_bits_come_back_as_they_went",
        "files.*.seconds.*": PARTS,
    },
    "codecspec diff": {"differences.*": "cli/test_infer_spec.py::test_diff_of_a_spec_and_a_checkpoint"},
    "codecspec doctor": {
        "params.*": "compiler/inference/test_families.py::",
        "images.*_s": CLOCK,
        "images.*peak*": PEAK,
        "images.*": DOCTOR,
        "trials.*": DOCTOR,
        "findings.*": "diagnosis/test_quantile_masses.py::test_masses",
    },
    "codecspec eval": {
        "wall_s": CLOCK,
        "opening_s": CLOCK,
        "warming_s": CLOCK,
        "coding_s": CLOCK,
        "machine.threads": "cli/test_eval.py::test_results_say_what_they_are_of",
        "models.*.parameters": PARAMETERS,
        "models.*encode_s": CLOCK,
        "models.*decode_s": CLOCK,
        "models.*peak*": PEAK,
        "models.*.averages.*": MEANS,
        "models.*.averages_over_common_images.*": "cli/test_eval.py::test_averages_over_different_images",
        "models.*.images.*": OF_AN_IMAGE,
    },
    "codecspec inspect": {
        "elements": FILE_SIZE,
        "bytes": FILE_SIZE,
        "tensors.*": "cli/test_inspect.py::test_the_tree",
    },
    "codecspec plot": {"curves.*.points.*": "cli/test_curves.py::test_plot_json"},
    "codecspec scan": {
        "*.size": FILE_SIZE,
        "*.tensors": FILE_SIZE,
        "*.params.*": "compiler/inference/test_families.py::",
    },
    "codecspec schema": {"*": "cli/test_schema.py::"},
    "codecspec stats": {
        "*.size.*": GIVEN,
        "*.padded_size.*": "compiler/test_statistics.py::test_padding_counts",
        "*.parameters*": PARAMETERS,
        "*.weight_bytes": PARAMETERS,
        "*kmacs_per_pixel*": MACS,
        "*.activation_bytes*": ACTIVATIONS,
    },
    "codecspec stream": {"*": BYTES},
    "codecspec zoo": {
        "*.year": "cli/test_zoo.py::test_the_list_is_the_folder",
        "*.parameters": PARAMETERS,
        "*.kmacs_per_pixel": MACS,
    },
}


TEXTS = {
    "compile-spec": "cli/test_compile_spec.py::test_each_row_of_the_tree_is_what_torch_says",
    "infer-spec": f"{HERE}test_what_is_printed_of_files_is_what_they_are",
    "codecspec bd": "cli/test_curves.py::test_another_metric",
    "codecspec bench": "cli/test_bench.py::test_the_table_by_hand",
    "codecspec compress": f"{HERE}test_what_is_printed_of_files_is_what_they_are",
    "codecspec convert": f"{HERE}test_what_is_printed_of_files_is_what_they_are",
    "codecspec decompress": f"{HERE}test_what_is_printed_of_files_is_what_they_are",
    "codecspec diff": GIVEN,
    "codecspec doctor": "diagnosis/test_findings.py::test_figures_of_an_image_in_words",
    "codecspec eval": "cli/test_eval_table.py::test_the_summary_by_hand",
    "codecspec inspect": "cli/test_inspect.py::test_the_tree",
    "codecspec plot": "runtime/test_curves.py::test_marks_and_lines_stand_where_their_figures_are",
    "codecspec scan": f"{HERE}test_what_is_printed_of_files_is_what_they_are",
    "codecspec schema": GIVEN,
    "codecspec stats": "cli/test_stats.py::test_every_row_is_that_of_the_json",
    "codecspec stream": BYTES,
    "codecspec zoo": "cli/test_zoo.py::test_the_list_is_the_folder",
}
"""The test of what a command prints or draws where nobody asks for JSON: units, order and rounding."""


def numbers(content: object, path: str = "") -> Iterator[str]:
    """The path of every number; an entry of a list is `-`."""
    if isinstance(content, dict):
        for name, value in content.items():
            yield from numbers(value, f"{path}.{name}" if path else name)
    elif isinstance(content, list):
        for value in content:
            yield from numbers(value, f"{path}.-" if path else "-")
    elif isinstance(content, (int, float)) and not isinstance(content, bool):
        yield path


@cache
def functions_of(file: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FunctionDef)}


@EVERY
def test_every_figure_has_its_test(command: Command, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    _, out, _ = run(command, name, "--json")
    untested = {path for path in numbers(json.loads(out)) if not any(fnmatchcase(path, each) for each in FIGURES[name])}
    assert sorted(untested) == []


def test_every_command_has_its_list() -> None:
    assert sorted(FIGURES) == sorted(TEXTS) == sorted(COMMANDS)


@pytest.mark.parametrize(
    "test", sorted({test for each in (*FIGURES.values(), TEXTS) for test in each.values()} - {GIVEN})
)
def test_the_test_is_there(test: str) -> None:
    """A file with `::` and nothing behind it stands for all of its tests."""
    file, _, function = test.partition("::")
    assert (ROOT / "tests" / file).is_file()
    assert not function or function in functions_of(ROOT / "tests" / file)


@pytest.mark.parametrize("name", sorted(SMALL))
def test_parameters_are_those_of_the_module(name: str) -> None:
    """What the plan counts, and torch."""
    codec = cs.compile_spec(name, device="meta", **SMALL[name])
    plan = cs.lower(cs.load_spec(name, **SMALL[name]))
    by_part: dict[str, int] = {}
    for path, parameter in codec.named_parameters():
        part = path.split(".")[0]
        by_part[part] = by_part.get(part, 0) + parameter.numel()
    figures = cs.statistics(plan)
    aux = by_part.get("aux_entropy_model", 0)
    assert figures.parameters == sum(by_part.values()) - aux
    assert plan.parameters == sum(by_part.values()), "the branch with it"
    assert (figures.parameters_by_part["g_a"], figures.parameters_by_part["g_s"]) == (by_part["g_a"], by_part["g_s"])
    assert figures.parameters_by_part.get("aux", 0) == aux
    assert len(plan.manifest()) == len(codec.state_dict())
    assert figures.weight_bytes == 4 * figures.parameters


def test_sizes_are_those_of_the_files(command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from safetensors import safe_open

    monkeypatch.chdir(folder)
    with safe_open(folder / "x.safetensors", "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    shown = json.loads(run(command, "codecspec inspect", "--json")[1])
    assert shown["elements"] == sum(tensor.numel() for tensor in tensors.values())
    assert shown["bytes"] == sum(tensor.nbytes for tensor in tensors.values())
    [scanned] = [
        row for row in json.loads(run(command, "codecspec scan", "--json")[1]) if "x.safetensors" in row["path"]
    ]
    assert scanned["size"] == (folder / "x.safetensors").stat().st_size
    inferred = json.loads(run(command, "infer-spec", "--json")[1])
    assert inferred["tensors"] == scanned["tensors"] == len(tensors)
    converted = json.loads(run(command, "codecspec convert", "--json")[1])
    assert converted["bytes"] == (folder / "out.pth").stat().st_size
    assert sorted(converted["tensors"]) == sorted(tensors)
    [coded] = json.loads(run(command, "codecspec compress", "--json")[1])["files"]
    assert coded["bytes"] == (folder / "out.csp").stat().st_size
    assert coded["bits_per_pixel"] == coded["bytes"] * 8 / (30 * 24)
    assert (coded["width"], coded["height"]) == (30, 24)
    [decoded] = json.loads(run(command, "codecspec decompress", "--json")[1])["files"]
    assert (decoded["width"], decoded["height"], decoded["bit_depth"]) == (30, 24, 8)
    [verbose] = json.loads(run(command, "codecspec compress", "--json", "-v")[1])["files"]
    codec = cs.load(folder / "x.safetensors")
    with torch.no_grad():
        likelihoods = codec(read_image(folder / "a.png"))["likelihoods"]
    for part, name in zip(verbose["parts"], ("z", "y"), strict=True):
        assert part["num_symbols"] == likelihoods[name].numel()
        assert part["likelihood_bits"] == pytest.approx(-float(likelihoods[name].double().log2().sum()), rel=1e-4)


def test_what_is_printed_of_files_is_what_they_are(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from safetensors import safe_open

    monkeypatch.chdir(folder)
    with safe_open(folder / "x.safetensors", "pt") as file:
        tensors = len(file.keys())
    coding, parts = run(command, "codecspec compress")[1].splitlines()
    size = (folder / "out.csp").stat().st_size
    assert coding == f"a.png 30x24 -> out.csp: {size:,} bytes, {size * 8 / (30 * 24):.4f} bits per pixel"
    assert parts.startswith("  g_a 0.")
    assert run(command, "codecspec decompress")[1].splitlines()[0] == "x.csp -> out.png: 30x24"
    saved = run(command, "codecspec convert")[1].splitlines()[-1]
    assert saved == f"saved out.pth ({(folder / 'out.pth').stat().st_size:,} bytes)"
    assert f"whose plan has exactly these {tensors} tensors (" in run(command, "infer-spec")[2]
    (tmp_path / "x.safetensors").write_bytes((folder / "x.safetensors").read_bytes())
    with (tmp_path / "large.safetensors").open("wb") as sparse:
        sparse.truncate(1_234_567_890)
    scanned = command("codecspec", "scan", tmp_path).out.splitlines()
    large, known = (next(line.split() for line in scanned if line.startswith(name)) for name in ("large", "x."))
    assert (large[1], large[-2:]) == ("-", ["1,234.6", "MB"])
    small_size = (folder / "x.safetensors").stat().st_size / 1e6
    assert known[-3:] == [str(tensors), f"{small_size:.1f}", "MB"]
    assert scanned[-1] == "2 checkpoints, 1 recognised"


def test_the_rate_of_gemm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A product of n x n matrices is n^3 multiply-accumulates; half a second each by the clock, by turns slower."""
    from types import SimpleNamespace

    from codecspec.runtime import benchmark

    readings = iter([0.0, 0.75, 1.0, 1.5, 2.0, 2.625, *range(3, 100)])
    monkeypatch.setattr(benchmark, "time", SimpleNamespace(perf_counter=lambda: float(next(readings))))
    assert benchmark.gemm_rate() == benchmark.GEMM_SIDE**3 / 0.5


def test_bench_is_within_the_time_that_passed_outside(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os
    import time

    monkeypatch.chdir(folder)
    start, cpu = time.monotonic(), os.times()
    found = json.loads(run(command, "codecspec bench", "--json")[1])
    passed, used = time.monotonic() - start, os.times()
    work = found["work"].values()
    assert 0 < sum(sum(own["seconds"]) for own in work) <= passed
    of_cpu = used.user + used.system - cpu.user - cpu.system
    assert 0 < sum(sum(own["cpu_seconds"]) for own in work) <= of_cpu + 0.02
    assert found["machine"]["threads"] == torch.get_num_threads()


def test_what_a_command_took(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, cpu = iter([10.0, 13.5]), iter([1.0, 3.25])
    monkeypatch.setattr("codecspec.cli.command.time.perf_counter", lambda: next(clock))
    monkeypatch.setattr("codecspec.cli.command.time.process_time", lambda: next(cpu))
    done = command("codecspec", "schema", "-v")
    assert done.err.startswith("took 3.50 s, 2.25 s of CPU; codecspec ")
