"""Growth of time and memory with the image, from 256x256 to 3840x2160, each in its own process.

    .venv/bin/python benchmarks/growth.py [MODEL ...] [--max-memory 3GB] [--numerics fast] [-o growth.svg] [--json FILE]

For each size a process builds the model (with initial weights), codes a small image to warm up, then compresses and
decompresses one image. A line, a + b * pixels, is fitted to the seconds and to the peak resident memory by least
relative squares, and the largest deviation is printed. With a limit, memory stays below it, and only time should be
linear.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SIZES = ("256x256", "512x512", "768x512", "1280x720", "1920x1080", "2560x1440", "3840x2160")
PROMISED = 0.15
"""Furthest from the line, as a share of it."""


def run(model: str, size: str, max_memory: str | None, numerics: Any) -> dict[str, float]:
    """One process's figures: seconds of compress and decompress, peak bytes."""
    import resource

    import torch

    import codecspec as cs

    if max_memory is None:  # as the commands do
        cs.keep_freed_memory()
    torch.manual_seed(0)
    codec = cs.compile_spec(model, numerics=numerics)
    width, height = map(int, size.split("x"))
    x = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    cs.decode(codec, cs.encode(codec, x[..., :128, :128]))
    start = time.perf_counter()
    data = cs.encode(codec, x, max_memory=max_memory)
    middle = time.perf_counter()
    cs.decode(codec, data, max_memory=max_memory)
    end = time.perf_counter()
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"pixels": width * height, "encode": middle - start, "decode": end - middle, "peak": peak}


def in_process(model: str, size: str, chosen: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, "-W", "ignore", __file__, model, "--one", size, "--numerics", chosen.numerics]
    if chosen.max_memory:
        command += ["--max-memory", chosen.max_memory]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def line(pixels: list[float], figures: list[float]) -> tuple[float, float, float]:
    """a and b of a + b * pixels with the least squares of relative errors, and the largest of these."""
    import numpy as np

    weights = 1 / np.array(figures)
    columns = np.stack([weights, weights * np.array(pixels)], axis=1)
    a, b = np.linalg.lstsq(columns, np.ones(len(figures)), rcond=None)[0]
    errors = np.abs(np.array(figures) / (a + b * np.array(pixels)) - 1)
    return float(a), float(b), float(errors.max())


def plot(found: dict[str, list[dict[str, float]]], output: Path) -> None:
    """Seconds and memory against pixels, measured (points) and fitted (lines)."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for model, rows in found.items():
        millions = [row["pixels"] / 1e6 for row in rows]
        kinds = ([row["encode"] + row["decode"] for row in rows], [row["peak"] / 1e9 for row in rows])
        for axis, figures in zip(axes, kinds, strict=True):
            a, b, _ = line(millions, figures)
            (points,) = axis.plot(millions, figures, "o", label=model)
            axis.plot(millions, [a + b * x for x in millions], "-", color=points.get_color(), linewidth=1)
    for axis, name in zip(axes, ("encode and decode, s", "peak of the process, GB"), strict=True):
        axis.set(xlabel="megapixels", ylabel=name, xlim=(0, None), ylim=(0, None))
        axis.legend()
    figure.savefig(output)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["wacnn"])
    parser.add_argument("--sizes", nargs="+", default=list(SIZES))
    parser.add_argument("--max-memory", help="as 3GB")
    parser.add_argument("--numerics", choices=("fast", "reference"), default="fast")
    parser.add_argument("-o", dest="output", type=Path, help="a plot, SVG, PNG or PDF")
    parser.add_argument("--json", type=Path, help="all figures")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(run(chosen.models[0], chosen.one, chosen.max_memory, chosen.numerics)))
        return
    found: dict[str, list[dict[str, float]]] = {}
    for model in chosen.models:
        print(f"{model}, {chosen.max_memory or 'no limit'}, {chosen.numerics}")
        rows = found[model] = []
        for size in chosen.sizes:
            row = in_process(model, size, chosen)
            rows.append(row)
            seconds = f"encode {row['encode']:7.2f} s  decode {row['decode']:7.2f} s"
            print(f"  {size:>10}  {seconds}  peak {row['peak'] / 1e9:6.2f} GB", flush=True)
        pixels = [row["pixels"] for row in rows]
        for name, figures in (
            ("time", [row["encode"] + row["decode"] for row in rows]),
            ("memory", [row["peak"] for row in rows]),
        ):
            _, _, error = line(pixels, figures)
            print(f"  {name}: at most {100 * error:.0f}% from a line; promised {100 * PROMISED:.0f}%")
    if chosen.output:
        plot(found, chosen.output)
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
