"""`codecspec bench`: what a model costs on this machine, and two such measurements side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from codecspec.cli.params import params_of
from codecspec.cli.run import note
from codecspec.cli.stats import image_size
from codecspec.schema.errors import UsageError

if TYPE_CHECKING:
    from codecspec.runtime.benchmark import Run
    from codecspec.runtime.codec import Codec

MIB = 2**20
BUSY = 0.85
"""Where matrix products before the runs and after them differ by more than this factor, the machine had other work."""


def bench(
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL", help="A saved model or a spec; with --compare two JSON files.")
    ],
    assignments: Annotated[
        list[str], typer.Option("--set", metavar="K=V", help="Put a param of a spec in place.")
    ] = [],  # noqa: B006
    size: Annotated[str, typer.Option(metavar="WxH", help="The image in pixels.")] = "768x512",
    runs: Annotated[int, typer.Option(min=1, help="Runs that are counted.")] = 5,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of PyTorch. Default: its own choice.")] = None,
    numerics: Annotated[Literal["fast", "reference"], typer.Option(help="How the networks compute.")] = "fast",
    keep_memory: Annotated[bool, typer.Option(help="Keep freed memory in the process, as the commands do.")] = True,
    inductor: Annotated[
        bool, typer.Option("--inductor", help="Forward by torch.compile too; needs a C++ compiler, and minutes.")
    ] = False,
    output: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write all runs as JSON.")] = None,
    compare: Annotated[bool, typer.Option("--compare", help="Compare two JSON files.")] = False,
) -> None:
    """Measure a model: load, forward, compress and decompress, by part.

    Times are medians of several runs, with the least and the most. The share is that of the rate which matrix products
    reach on this machine before or after the runs; a busy machine shows in both. A large model
    takes one to two minutes on 2 cores.
    """
    if compare:
        if len(models) != 2:
            raise UsageError("E-usage", "--compare", f"two JSON files are compared, and {len(models)} were given")
        _print_comparison(*(_read(path) for path in models))
        return
    if len(models) != 1:
        raise UsageError("E-usage", "MODEL", f"one model is measured in a process; found {len(models)}")
    width, height = image_size(size)
    found = _measured(
        models[0], params_of(assignments), (height, width), runs, threads, numerics, keep_memory, inductor
    )
    if output is not None:
        from codecspec.schema.whole_file import whole_file

        with whole_file(output) as path:
            path.write_text(json.dumps(found, indent=1) + "\n")
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
    from codecspec.runtime.benchmark import gemm_rate, machine, measure, measure_compiled, timed

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
    from codecspec.cli.models import SAVED
    from codecspec.compiler.build import compile_spec
    from codecspec.compiler.saved_model import load

    if Path(model).suffix in SAVED:
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
    from rich.console import Console
    from rich.table import Table

    rates = found["gemm_gmacs_per_second"]
    rate = max(rates)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("", "median s", "least", "most", "CPU s", "GFLOP", "of GEMM", "page faults", "peak MiB"):
        table.add_column(title, justify="right" if title else "left", no_wrap=True)
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
    Console(width=None if Console().is_terminal else 120, highlight=False).print(table)
    on = found["machine"]
    kept = "kept" if found["kept_memory"] else "given back"
    note(
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


def _read(path: str) -> dict[str, Any]:
    try:
        found = json.loads(Path(path).read_text())
        for own in found["work"].values():
            median(own["seconds"])
            for seconds in own["parts"].values():
                median(seconds)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError("E-usage", path, f"not a file that `codecspec bench --json` wrote: {error}") from error
    return dict(found)


def _print_comparison(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for title in ("first, s", "second, s", "times faster"):
        table.add_column(title, justify="right")

    def row(title: str, pair: tuple[list[float], list[float]], style: str = "") -> None:
        first, second = map(median, pair)
        table.add_row(title, f"{first:.3f}", f"{second:.3f}", f"{first / second:.2f}" if second else "", style=style)

    for name in (name for name in before["work"] if name in after["work"]):
        ours, theirs = before["work"][name], after["work"][name]
        row(name, (ours["seconds"], theirs["seconds"]), "bold")
        for part in (part for part in ours["parts"] if part in theirs["parts"]):
            row(f"  {part}", (ours["parts"][part], theirs["parts"][part]))
    Console(width=None if Console().is_terminal else 100, highlight=False).print(table)
    differ = [key for key in ("model", "size", "machine") if before.get(key) != after.get(key)]
    if differ:
        note(f"the two differ in {', '.join(differ)}: only ratios of runs on one machine, of one size, mean something")
