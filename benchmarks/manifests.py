"""What listing a checkpoint's tensors costs: whole processes, and one manifest after another.

    .venv/bin/python benchmarks/manifests.py [--megabytes 400] [--folder DIR]

Writes checkpoints of 1,300 tensors into a temporary folder (some 1.2 GB; `--folder` says where), and prints medians
and spread over several runs next to what the project promises.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

RUNS = 7
TENSORS = 1300
SCRIPTS = Path(sys.executable).parent
MEASURED = """
import json, os, resource, sys, time
start = time.perf_counter()
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, 1, 0)])
_, status, usage = os.wait4(child, 0)
print(json.dumps([time.perf_counter() - start, usage.ru_maxrss / 1024, status]))
"""
READING = """
import json, resource, sys, time
start = time.perf_counter()
from codecspec.compiler.checkpoints import read_manifest
imported = time.perf_counter() - start
times = []
for _ in range(30):
    start = time.perf_counter()
    manifest = read_manifest(sys.argv[1])
    times.append(time.perf_counter() - start)
heavy = [name for name in ("torch", "numpy") if name in sys.modules]
print(json.dumps([imported, times, len(manifest), manifest.nbytes, heavy]))
"""
WRITING = """
import sys, torch
from pathlib import Path
from safetensors.torch import save_file
folder, megabytes, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
rows = megabytes * 1_000_000 // count // 4 // 64
tensors = {f"g_a.{i // 24}.blocks.{i // 8 % 3}.conv{i % 8}.weight": torch.zeros(rows, 64) for i in range(count)}
torch.save({"state_dict": tensors, "epoch": 1}, folder / "zip.pth")
torch.save({"state_dict": tensors, "epoch": 1}, folder / "legacy.pth", _use_new_zipfile_serialization=False)
save_file(tensors, folder / "x.safetensors")
"""


def process(*command: object) -> tuple[float, float]:
    """Seconds and megabytes (the most that was resident) of a command that must succeed."""
    measure = [sys.executable, "-c", MEASURED, *map(str, command)]
    seconds, megabytes, status = json.loads(subprocess.run(measure, check=True, capture_output=True, text=True).stdout)
    if status:
        raise SystemExit(f"it failed: {' '.join(map(str, command))}")
    return seconds, megabytes


def row(what: str, values: list[float], unit: str, promised: float | None = None) -> None:
    spread = f"{min(values):.3f} .. {max(values):.3f}"
    said = "" if promised is None else f", promised under {promised:g}"
    print(f"{what:52} {statistics.median(values):8.3f} {unit:3} ({spread}){said}")


def checkpoints(folder: Path, megabytes: int) -> Iterator[Path]:
    subprocess.run([sys.executable, "-c", WRITING, folder, str(megabytes), str(TENSORS)], check=True)
    yield from (folder / name for name in ("zip.pth", "legacy.pth", "x.safetensors"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=400)
    parser.add_argument("--folder", type=Path)
    chosen = parser.parse_args()
    row("python -c pass", [process(sys.executable, "-c", "pass")[0] for _ in range(RUNS)], "s")
    row("import codecspec", [process(sys.executable, "-c", "import codecspec")[0] for _ in range(RUNS)], "s")
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        for path in checkpoints(Path(folder), chosen.megabytes):
            print(f"\n{path.name}: {TENSORS:,} tensors, {path.stat().st_size:,} bytes")
            costs = [process(SCRIPTS / "codecspec", "inspect", path) for _ in range(RUNS)]
            row(
                "codecspec inspect, whole process",
                [seconds for seconds, _ in costs],
                "s",
                0.5 if path.suffix == ".safetensors" else 0.8,
            )
            row("codecspec inspect, memory", [megabytes for _, megabytes in costs], "MB", 80)
            run = subprocess.run([sys.executable, "-c", READING, path], check=True, capture_output=True, text=True)
            _, times, count, _, heavy = json.loads(run.stdout)
            if count != TENSORS or heavy:
                raise SystemExit(f"{count} tensors, and {heavy} imported")
            row("read_manifest", [1e3 * seconds for seconds in times], "ms")


if __name__ == "__main__":
    main()
