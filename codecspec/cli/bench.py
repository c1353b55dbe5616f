"""`codecspec bench`: what a model costs on this machine, and two such measurements side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from codecspec.cli.bench_file import read_bench
from codecspec.cli.completion import model_words, param_words
from codecspec.cli.fitting_table import FittingTable
from codecspec.cli.outputs import require_output
from codecspec.cli.params import params_of
from codecspec.cli.say import console, note, print_json, report
from codecspec.cli.stats import image_size
from codecspec.schema.errors import UsageError, escaped

if TYPE_CHECKING:
    from codecspec.runtime.benchmark import Run
    from codecspec.runtime.codec import Codec

MIB = 2**20
BUSY = 0.85
"""Where matrix products before the runs and after them differ by more than this factor, the machine had other work."""


def bench(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL", help="A saved model or a spec; with --compare two JSON files.", autocompletion=model_words
        ),
    ],
    assignments: Annotated[
        list[str],
        typer.Option("--set", metavar="K=V", help="Set a param of the spec.", autocompletion=param_words),
    ] = [],  # noqa: B006
    size: Annotated[str, typer.Option(metavar="WxH", help="Image size in pixels.")] = "768x512",
    runs: Annotated[int, typer.Option(min=1, help="Timed runs.")] = 5,
    threads: Annotated[int | None, typer.Option(min=1, help="PyTorch threads. Default: PyTorch's own choice.")] = None,
    numerics: Annotated[Literal["fast", "reference"], typer.Option(help="Numerics of the networks.")] = "fast",
    keep_memory: Annotated[bool, typer.Option(help="Keep freed memory in the process, as the commands do.")] = True,
    inductor: Annotated[
        bool,
        typer.Option("--inductor", help="Also time forward under torch.compile; needs a C++ compiler and minutes."),
    ] = False,
    output: Annotated[
        Path | None, typer.Option("-o", metavar="FILE", help="Write all runs to a file, as JSON.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all runs as JSON.")] = False,
    compare: Annotated[bool, typer.Option("--compare", help="Compare two JSON files.")] = False,
) -> None:
    """Measure a model: load, forward, compress and decompress, by part.

    Times are medians of several runs, with minimum and maximum. "of GEMM" is the share of the rate that matrix products
    reach on this machine before or after the runs. A large model takes one to two minutes on 2 cores.
    """
    if compare:
        if len(models) != 2:
            raise UsageError("E-usage", "--compare", f"two JSON files are compared, and {len(models)} were given")
        compared = _compared(*map(read_bench, models))
        if as_json:
            print_json(compared)
        else:
            _print_comparison(compared)
        return
    if len(models) != 1:
        raise UsageError("E-usage", "MODEL", f"one model is measured in a process; found {len(models)}")
    if output is not None:
        require_output(output, models[0])
    width, height = image_size(size)
    found = _measured(
        models[0], params_of(assignments), (height, width), runs, threads, numerics, keep_memory, inductor
    )
    if output is not None:
        from codecspec.schema.whole_file import whole_file

        with whole_file(output) as path:
            path.write_text(json.dumps(found, indent=1) + "\n")
    if as_json:
        print_json(found)
    else:
        _print(found)


def _measured(
    model: str,
    params: dict[str, Any],
    size: tuple[int, int],
    runs: int,
    threads: int | None,
    numerics: Literal["fast", "reference"],
    keep_memory: bool,
    inductor: bool,
) -> dict[str, Any]:
    import torch

    from codecspec.compiler.lower import lower
    from codecspec.runtime.allocator import keep_freed_memory
    from codecspec.runtime.benchmark import gemm_rate, measure, measure_compiled, timed
    from codecspec.runtime.machine import machine

    if threads is not None:
        torch.set_num_threads(threads)
    kept = keep_memory and keep_freed_memory()
    opened: list[Codec] = []
    load = [timed(lambda: opened.append(_opened(model, params))) for _ in range(runs)]
    codec = opened[-1]
    opened.clear()
    codec.numerics = numerics
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(1, codec.spec.in_channels, *size, generator=generator)
    gemm = [gemm_rate()]
    work = measure(codec, x, runs)
    if inductor:
        work |= measure_compiled(codec, x, runs)
    gemm.append(gemm_rate())
    macs = _macs(lower(codec.spec), size)
    return {
        "model": model,
        "params": params,
        "numerics": numerics,
        "kept_memory": kept,
        "size": f"{size[1]}x{size[0]}",
        "machine": machine(),
        "gemm_gmacs_per_second": [rate / 1e9 for rate in gemm],
        "gmacs": {part: float(count) / 1e9 for part, count in macs.items()},
        "work": {name: _figures(own) for name, own in {"load": load, **work}.items()},
    }


def _opened(model: str, params: dict[str, Any]) -> Codec:
    from codecspec.compiler.build import compile_spec
    from codecspec.compiler.saved_model import load
    from codecspec.schema.spec_files import WEIGHTS

    if Path(model).suffix in WEIGHTS:
        if params:
            raise UsageError("E-usage", "--set", "a saved model has its params inside")
        return load(model)
    return compile_spec(model, **params)


def _macs(plan: Any, size: tuple[int, int]) -> dict[str, int]:
    """Multiply-accumulates of one pass by part, the context by slice."""
    from codecspec.compiler.plan import part_of
    from codecspec.runtime.part_timer import finer_part

    pixels = (size[0] + -size[0] % plan.stride) * (size[1] + -size[1] % plan.stride)
    macs: dict[str, int] = {}
    for node in plan.walk():
        part = finer_part(part_of(node.path), node.path)
        macs[part] = macs.get(part, 0) + int(node.macs * pixels)
    return macs


def _figures(runs: list[Run]) -> dict[str, Any]:
    return {
        "seconds": [run.seconds for run in runs],
        "cpu_seconds": [run.cpu_seconds for run in runs],
        "page_faults": [run.page_faults for run in runs],
        "peak_mib": [run.peak_bytes / MIB for run in runs],
        "parts": {part: [run.parts[part].seconds for run in runs] for part in runs[0].parts},
        "part_page_faults": {part: [run.parts[part].page_faults for run in runs] for part in runs[0].parts},
        "part_peak_mib": {part: own.peak_bytes / MIB for part, own in runs[0].parts.items()},
    }


def _print(found: Mapping[str, Any]) -> None:
    rates = found["gemm_gmacs_per_second"]
    rate = max(rates)
    table = FittingTable("page faults", "GFLOP", "of GEMM", "CPU s")
    for title in ("", "median s", "min", "max", "CPU s", "GFLOP", "of GEMM", "page faults", "peak MiB"):
        table.add_column(title, justify="right" if title else "left")
    for name, own in found["work"].items():
        macs = {part: found["gmacs"].get(part, 0.0) for part in own["parts"]}
        work = _of_gemm(sum(macs.values()), own["seconds"], rate)
        memory = f"{median(own['page_faults']):,.0f}", f"{max(own['peak_mib']):,.0f}"
        cpu = f"{median(own['cpu_seconds']):.3f}"
        table.add_row(name, *_spread(own["seconds"]), cpu, *work, *memory, style="bold")
        for part, seconds in own["parts"].items():
            work = _of_gemm(macs[part], seconds, rate)
            memory = f"{median(own['part_page_faults'][part]):,.0f}", f"{own['part_peak_mib'][part]:,.0f}"
            table.add_row(f"  {part}", *_spread(seconds), "", *work, *memory)
    table.print(120)
    on = found["machine"]
    kept = "kept" if found["kept_memory"] else "given back"
    report(
        f"{found['model']} at {found['size']}, numerics {found['numerics']}, freed memory {kept}, {on['threads']} "
        f"threads of {on['cpu']}, torch {on['torch']}; GEMM {2 * rate:.0f} GFLOP/s in the same run"
    )
    if min(rates) < BUSY * rate:
        first, last = (2 * each for each in rates)
        note(f"GEMM went from {first:.0f} to {last:.0f} GFLOP/s meanwhile: the machine was busy, try again")


def _spread(seconds: list[float]) -> list[str]:
    return [f"{median(seconds):.3f}", f"{min(seconds):.3f}", f"{max(seconds):.3f}"]


def _of_gemm(macs: float, seconds: list[float], rate: float) -> tuple[str, str]:
    """GFLOP, and the share of the matrix products' rate; `macs` and `rate` count in multiply-accumulates."""
    return (f"{2 * macs:,.2f}", f"{macs / median(seconds) / rate:.0%}") if macs else ("", "")


def _compared(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Medians of what both have, in the first's order."""

    def pair(first: list[float], second: list[float]) -> dict[str, float | None]:
        one, other = median(first), median(second)
        return {"first_s": one, "second_s": other, "times_faster": one / other if other else None}

    work = {}
    for name, own in before["work"].items():
        other = after["work"].get(name)
        if other is not None:
            parts = {
                part: pair(own["parts"][part], other["parts"][part]) for part in own["parts"] if part in other["parts"]
            }
            work[name] = {**pair(own["seconds"], other["seconds"]), "parts": parts}
    differ = [key for key in ("model", "size", "machine") if before.get(key) != after.get(key)]
    return {"work": work, "differ": differ}


def _print_comparison(compared: Mapping[str, Any]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for title in ("first, s", "second, s", "times faster"):
        table.add_column(title, justify="right")

    def row(title: str, own: Mapping[str, Any], style: str = "") -> None:
        times = own["times_faster"]
        shown = "" if times is None else f"{times:.2f}"
        table.add_row(escaped(title), f"{own['first_s']:.3f}", f"{own['second_s']:.3f}", shown, style=style)

    for name, own in compared["work"].items():
        row(name, own, "bold")
        for part, its in own["parts"].items():
            row(f"  {part}", its)
    console(100).print(table)
    if differ := compared["differ"]:
        note(f"the two differ in {', '.join(differ)}: only ratios of runs on one machine, of one size, mean something")
