"""The cost of loading, compared with CompressAI's way: TCM (N=64) from its authors' layout.

    .venv/bin/python benchmarks/loading.py [--rounds 7]

`cs.load`, against building the same modules with their own initial weights on the CPU, `torch.load` and
`load_state_dict`. Each runs in its own process, interleaved, and imports are not timed. Prints medians and
spread of the first call in a process, and how much the process's peak memory grows, with every weight read once after.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile

PROMISED_SHARE = 0.35
PROMISED_MEMORY = 1.15
WRITING = """
import sys, torch
import codecspec as cs
folder = sys.argv[1]
torch.manual_seed(0)
codec = cs.compile_spec("tcm", N=64)
codec.prepare_tables()
state = codec.state_dict()
torch.save(state, f"{folder}/own.pth")
from codecspec.compiler.convert import from_canonical
from codecspec.compiler.layouts import load_layout
tensors = from_canonical(state, load_layout("authors-tcm")).tensors
torch.save({key: tensor.clone() for key, tensor in tensors.items()}, f"{folder}/authors.pth")
"""
TIMING = """
import resource, sys, time
import torch, compressai
import codecspec as cs, codecspec.runtime.codec
from codecspec.compiler.build import build
from codecspec.compiler.lower import lower
program, folder = sys.argv[1:]
plan = lower(cs.load_spec("tcm", N=64)) if program == "plain" else None
load = cs.load  # imports what loads
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
if program == "plain":
    net = build(plan)
    pause = time.perf_counter()
    net.prepare_tables()  # a place for the tables of the file, which torch's own loading needs; not counted
    start += time.perf_counter() - pause
    state = torch.load(f"{folder}/own.pth", weights_only=True)
    torch.nn.Module.load_state_dict(net, state)
else:
    net = load(f"{folder}/authors.pth")
seconds = time.perf_counter() - start
for tensor in net.state_dict().values():
    tensor.sum()
weights = sum(tensor.nbytes for tensor in net.state_dict().values())
grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
print(seconds, grown / weights)
"""


def run(program: str, folder: str) -> tuple[float, float]:
    """Seconds, and the growth of peak memory by the bytes of the weights."""
    command = [sys.executable, "-W", "ignore", "-c", TIMING, program, folder]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, memory = map(float, done.stdout.split())
    return seconds, memory


def row(name: str, values: list[float], unit: str, promised: str = "") -> None:
    spread = f"{min(values):.3f} .. {max(values):.3f}"
    print(f"{name:44} {statistics.median(values):8.3f} {unit:12} ({spread}){promised}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-W", "ignore", "-c", WRITING, folder], check=True)
        pairs = [(run("ours", folder), run("plain", folder)) for _ in range(rounds)]
    row("cs.load", [ours[0] for ours, _ in pairs], "s")
    row("construct, torch.load, load_state_dict", [plain[0] for _, plain in pairs], "s")
    shares = [ours[0] / plain[0] for ours, plain in pairs]
    row("share of its time, round by round", shares, "", f", promised under {PROMISED_SHARE}")
    memory = [ours[1] for ours, _ in pairs]
    row("cs.load, growth of peak memory", memory, "x weights", f", promised at most {PROMISED_MEMORY}")
    row("the other way's", [plain[1] for _, plain in pairs], "x weights")


if __name__ == "__main__":
    main()
