"""The cost of inferring specs: `codecspec scan` over a folder of checkpoints, and `infer_spec` alone.

    .venv/bin/python benchmarks/inference.py [--folder DIR] [--files 1000]

Writes checkpoints of a TCM in its authors' layout (1,293 tensors each, each with a different width of y, without the
bytes of their weights) into a temporary folder, scans them on all cores, then as many copies of one of them, and prints
checkpoints per second.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SCAN = Path(sys.executable).parent / "codecspec"
PROMISED = 40
"""Checkpoints a second on two cores."""
WRITING = """
import sys, torch
from pathlib import Path
import codecspec as cs
from codecspec.compiler.layouts import load_layout
folder, files = Path(sys.argv[1]), int(sys.argv[2])
layout = load_layout("authors-tcm")
for i in range(files):
    plan = cs.lower(cs.load_spec("tcm", N=64, M=40 + 5 * i)).manifest()
    tensors = {}
    for move in layout.from_canonical(plan).moves:
        tensor = plan[move.sources[0]]
        shape = tensor.shape
        if move.op:  # the relative position table, as the authors have it
            side = round(shape[0] ** 0.5)
            shape = (shape[1], side, side)
        tensors[move.target] = torch.zeros(1, dtype=getattr(torch, tensor.dtype)).expand(shape)
    torch.save(tensors, folder / f"{i:04}.pth")
"""
INFERRING = """
import statistics, sys, time
import codecspec as cs
from pathlib import Path
times = []
for path in sorted(Path(sys.argv[1]).glob("*.pth"))[:30]:
    start = time.process_time()
    cs.infer_spec(path)
    times.append(1e3 * (time.process_time() - start))
print(f"{statistics.median(times):.1f} ms (min {min(times):.1f}, max {max(times):.1f})")
"""


def scanned(folder: Path, files: int) -> float:
    """Checkpoints a second, the command's start included."""
    start = time.perf_counter()
    done = subprocess.run([SCAN, "scan", folder, "--json"], check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.stdout.count('"family": "tcm"') != files:
        raise SystemExit("some were not known")
    return files / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where the checkpoints go for a while; 330 kB each")
    parser.add_argument("--files", type=int, default=1000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        folder = Path(name)
        subprocess.run([sys.executable, "-W", "ignore", "-c", WRITING, folder, str(chosen.files)], check=True)
        run = subprocess.run([sys.executable, "-c", INFERRING, folder], check=True, capture_output=True, text=True)
        print(f"infer_spec, one after another, CPU: {run.stdout.strip()}")
        rates = [scanned(folder, chosen.files) for _ in range(3)]
        cores = f"{os.cpu_count()} cores"
        print(f"scan, all different: {statistics.median(rates):.0f} a second on {cores}, promised {PROMISED} on 2")
        first, *others = sorted(folder.glob("*.pth"))
        for other in others:
            other.write_bytes(first.read_bytes())
        rates = [scanned(folder, chosen.files) for _ in range(3)]
        print(f"scan, all the same: {statistics.median(rates):.0f} a second on {cores}")


if __name__ == "__main__":
    main()
