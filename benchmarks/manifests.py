"""The cost of listing a checkpoint's tensors: as whole processes, and repeatedly in one.

    .venv/bin/python benchmarks/manifests.py [--folder DIR]

Writes a TCM of 390 MB in 1,300 tensors into a temporary folder in three formats, and prints medians and spread over
several runs next to what the project promises of `infer-spec`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

RUNS = 7
PROMISED = {".pth": 0.8, ".safetensors": 0.5}
SCRIPTS = Path(sys.executable).parent
MEASURED = """
import json, os, sys, time
start = time.perf_counter()
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, 1, 0)])
_, status, usage = os.wait4(child, 0)
seconds = time.perf_counter() - start
print(json.dumps([seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, status]))
"""
READING = """
import json, sys, time
from codecspec.compiler.checkpoints import read_manifest
times = []
for _ in range(30):
    start = time.process_time()
    manifest = read_manifest(sys.argv[1])
    times.append(time.process_time() - start)
heavy = [name for name in ("torch", "numpy") if name in sys.modules]
print(json.dumps([times, heavy]))
"""
WRITING = """
import sys, torch
from pathlib import Path
import codecspec as cs
from codecspec.compiler.convert import from_canonical
from codecspec.compiler.layouts import load_layout
from safetensors.torch import save_file
folder = Path(sys.argv[1])
net = cs.compile_spec("tcm", N=160)
tensors = {k: t.contiguous() for k, t in from_canonical(net.state_dict(), load_layout("authors-tcm")).tensors.items()}
torch.save({"state_dict": tensors, "epoch": 1}, folder / "zip.pth")
torch.save({"state_dict": tensors, "epoch": 1}, folder / "legacy.pth", _use_new_zipfile_serialization=False)
save_file(tensors, folder / "x.safetensors")
"""


def compiled_in(folder: Path) -> None:
    """Keep bytecode as an installed package has it, whatever the environment says: half of starting is compiling."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder)


def process(*command: object) -> tuple[float, float, float]:
    """Seconds, CPU seconds, and megabytes (the most that was resident) of a command that must succeed."""
    measure = [sys.executable, "-c", MEASURED, *map(str, command)]
    found = json.loads(subprocess.run(measure, check=True, capture_output=True, text=True).stdout)
    seconds, cpu, megabytes, status = found
    if status:
        raise SystemExit(f"it failed: {' '.join(map(str, command))}")
    return seconds, cpu, megabytes


def row(what: str, values: list[float], unit: str, promised: float | None = None) -> None:
    spread = f"{min(values):.3f} .. {max(values):.3f}"
    said = "" if promised is None else f", promised under {promised:g}"
    print(f"{what:52} {statistics.median(values):8.3f} {unit:3} ({spread}){said}")


def whole_process(path: Path, *command: str) -> None:
    costs = [process(SCRIPTS / command[0], *command[1:], path) for _ in range(1 + RUNS)][1:]
    seconds, cpu, megabytes = (list(values) for values in zip(*costs, strict=True))
    row(f"{' '.join(command)}, whole process", seconds, "s", PROMISED[path.suffix])
    row(f"{' '.join(command)}, CPU", cpu, "s")
    row(f"{' '.join(command)}, memory", megabytes, "MB", 80)


def reading(path: Path) -> None:
    run = subprocess.run([sys.executable, "-c", READING, path], check=True, capture_output=True, text=True)
    times, heavy = json.loads(run.stdout)
    if heavy:
        raise SystemExit(f"it imports {heavy}")
    row("read_manifest, CPU", [1e3 * seconds for seconds in times], "ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where the checkpoints go for a while; 1.2 GB")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        compiled_in(Path(folder) / "bytecode")
        for what in ("pass", "import codecspec"):
            costs = [process(sys.executable, "-c", what) for _ in range(1 + RUNS)][1:]
            row(f"python -c '{what}', whole process", [seconds for seconds, _, _ in costs], "s")
        subprocess.run([sys.executable, "-W", "ignore", "-c", WRITING, folder], check=True)
        for path in (Path(folder) / name for name in ("zip.pth", "legacy.pth", "x.safetensors")):
            print(f"\n{path.name}, {path.stat().st_size:,} bytes")
            reading(path)
            whole_process(path, "codecspec", "inspect")
            whole_process(path, "infer-spec")


if __name__ == "__main__":
    main()
