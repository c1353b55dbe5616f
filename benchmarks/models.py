"""Speed of models compared with their plain versions and CompressAI's ELIC: `make bench`.

    .venv/bin/python benchmarks/models.py [--rounds 3] [--size 768x512] [--json FILE] [MODEL ...]

Each program runs in its own process: it builds its model, codes one image and runs a forward to warm up (coders
and kernels are compiled and tables made by then), then is timed over one forward, compress and
decompress. Programs are interleaved in rounds: `fast`, `fast` without the allocator's
setting (as when called from Python without it), `reference` (the published code's order of computing, which stands in
for the authors' program where that is not installed), and for ELIC CompressAI's own with the same weights. So a busy
machine slows all of them alike.

Three rounds of all five models take half an hour on 2 cores; `make bench ARGS="elic --rounds 1"` a minute or two.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

MODELS: dict[str, dict[str, int]] = {"tcm": {"N": 64}, "cca": {}, "elic": {}, "wacnn": {}, "stf": {}}
WORK = ("forward", "compress", "decompress")
OURS = {"fast": ("fast", True), "fast, no setting": ("fast", False), "reference": ("reference", False)}
COMPRESSAI = "compressai"
REPEATS = 1


def built(model: str, program: str) -> Any:
    """The model, all programs' of one seed and so of the same weights."""
    import torch

    import codecspec as cs
    from codecspec.runtime.allocator import keep_freed_memory

    torch.manual_seed(0)
    numerics, kept = OURS.get(program, ("reference", False))
    if kept and not keep_freed_memory():
        raise SystemExit("this C library has no such setting")
    codec = cs.compile_spec(model, numerics=numerics, **MODELS.get(model, {}))
    if program != COMPRESSAI:
        return codec
    from compressai.models.sensetime import Elic2022Official

    from codecspec.compiler.convert import from_canonical
    from codecspec.compiler.layouts import load_layout

    theirs = Elic2022Official().eval()
    theirs.load_state_dict(from_canonical(codec.state_dict(), load_layout("compressai-1.2-elic")).tensors)
    theirs.update()
    return theirs


def run(model: str, program: str, size: tuple[int, int], threads: int) -> dict[str, Any]:
    """One process's figures: seconds of each work, CPU seconds and page faults of all, peak MiB."""
    import resource

    import torch

    torch.set_num_threads(threads)
    codec = built(model, program)
    x = torch.rand(1, 3, size[1], size[0], generator=torch.Generator().manual_seed(0))
    found: dict[str, Any] = {name: [] for name in WORK}
    with torch.no_grad():
        coded = codec.compress(x)
        codec.decompress(coded["strings"], coded["shape"])
        codec(x)
        before = resource.getrusage(resource.RUSAGE_SELF)
        for _ in range(REPEATS):
            for name, arguments in zip(WORK, ([x], [x], (coded["strings"], coded["shape"])), strict=True):
                start = time.perf_counter()
                (codec if name == "forward" else getattr(codec, name))(*arguments)
                found[name].append(time.perf_counter() - start)
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    faults = after.ru_minflt - before.ru_minflt
    return {**found, "cpu": cpu / REPEATS, "faults": faults // REPEATS, "peak_mib": after.ru_maxrss / 1024}


def in_process(model: str, program: str, size: str, threads: int) -> dict[str, Any]:
    command = [sys.executable, "-W", "ignore", __file__, "--program", program, "--size", size, model]
    done = subprocess.run([*command, "--threads", str(threads)], check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def compared(model: str, size: str, rounds: int, threads: int) -> dict[str, Any]:
    """program -> its rounds."""
    programs = [*OURS, *([COMPRESSAI] if model == "elic" else [])]
    found: dict[str, list[dict[str, Any]]] = {program: [] for program in programs}
    for _ in range(rounds):
        for program in programs:
            found[program].append(in_process(model, program, size, threads))
    return found


def total(round_: dict[str, Any]) -> float:
    """Seconds of a forward, a compress and a decompress."""
    return sum(median(round_[name]) for name in WORK)


def print_table(model: str, found: dict[str, list[dict[str, Any]]]) -> None:
    plain = found.get(COMPRESSAI, found["reference"])
    against = COMPRESSAI if COMPRESSAI in found else "reference"
    print(f"\n{model}: seconds, medians of {len(plain)} rounds; the ratio is against {against}, round by round")
    print(f"{'':18}{''.join(f'{name:>12}' for name in (*WORK, 'all', 'ratio', 'spread', 'CPU s', 'faults', 'MiB'))}")
    for program, rounds in found.items():
        ratios = [total(theirs) / total(ours) for ours, theirs in zip(rounds, plain, strict=True)]
        times = [median(median(each[name]) for each in rounds) for name in WORK]
        seconds = "".join(f"{value:12.3f}" for value in (*times, median(map(total, rounds))))
        spread = f"{min(ratios):.2f}-{max(ratios):.2f}"
        rest = f"{median(each['cpu'] for each in rounds):12.2f}{median(each['faults'] for each in rounds):12,.0f}"
        peak = max(each["peak_mib"] for each in rounds)
        print(f"{program:18}{seconds}{median(ratios):12.2f}{spread:>12}{rest}{peak:12,.0f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=list(MODELS), metavar="MODEL")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", default="768x512")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--json", type=Path)
    parser.add_argument("--program", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    width, height = map(int, chosen.size.split("x"))
    if chosen.program:
        print(json.dumps(run(chosen.models[0], chosen.program, (width, height), chosen.threads)))
        return
    everything = {}
    for model in chosen.models:
        everything[model] = compared(model, chosen.size, chosen.rounds, chosen.threads)
        print_table(model, everything[model])
    if chosen.json:
        chosen.json.write_text(json.dumps(everything, indent=1))


if __name__ == "__main__":
    main()
