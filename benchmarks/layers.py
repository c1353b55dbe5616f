"""Time of the models' blocks, `fast` and `reference`.

    .venv/bin/python benchmarks/layers.py [--size 768x512] [--runs 5] [MODEL ...]

Each kind of block in g_a and g_s, once per width and resolution, runs on random maps of the size that it has for an
image, alternating between both, each in its own memory layout; medians of the runs after an untimed one. Blocks under a
millisecond are left out.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from statistics import median

import torch
from torch import Tensor, nn

import codecspec as cs
from codecspec.compiler.box_words import flow_of, numbers_of
from codecspec.compiler.plan import Node, Plan
from codecspec.runtime.layers.two_ways import choose_way

MODELS: dict[str, dict[str, int]] = {"tcm": {"N": 64}, "cca": {}, "elic": {}, "wacnn": {}, "stf": {}}
LEAST_MS = 1.0


def blocks(node: Node) -> Iterator[Node]:
    """The blocks of a transform, those inside of sequences too."""
    for child in node.children:
        if child.kind == "sequence":
            yield from blocks(child)
        else:
            yield child


def forms(plan: Plan) -> list[Node]:
    """One block of each kind, width and resolution; blocks that differ by a window's shift alone are one."""
    found: dict[tuple[object, ...], Node] = {}
    for root in ("g_a", "g_s"):
        for node in blocks(plan.root(root)):
            fields = node.spec.model_dump(exclude={"shift", "drop_path"})
            found.setdefault((str(fields), node.c_in, node.c_out, node.scale_in), node)
    return list(found.values())


def milliseconds(block: nn.Module, x: Tensor, runs: int) -> tuple[float, float]:
    """Medians of the plain way and of the fast one."""
    inputs = {False: x, True: x.contiguous(memory_format=torch.channels_last)}
    taken: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(runs + 1):
        for fast, given in inputs.items():
            choose_way(block, fast=fast)
            start = time.perf_counter()
            block(given)
            taken[fast].append(1000 * (time.perf_counter() - start))
    return median(taken[False][1:]), median(taken[True][1:])


@torch.inference_mode()
def measure(model: str, size: tuple[int, int], runs: int) -> None:
    """Print the blocks of a model."""
    torch.manual_seed(0)
    codec = cs.compile_spec(model, **MODELS.get(model, {})).eval()
    print(f"{model:72} plain    fast  times")
    for node in forms(cs.lower(codec.spec)):
        height, width = (int(side * node.scale_in) for side in (size[1], size[0]))
        x = torch.rand(1, node.c_in, height, width) - 0.5
        plain, fast = milliseconds(codec.get_submodule(node.path), x, runs)
        if plain >= LEAST_MS:
            what = f"{f'{node.kind} {numbers_of(node)}'.strip()}, {flow_of(node)}"
            print(f"  {node.path:7} {what:62} {plain:7.1f} {fast:7.1f} {plain / fast:6.2f}")


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=list(MODELS))
    parser.add_argument("--size", default="768x512")
    parser.add_argument("--runs", type=int, default=5)
    chosen = parser.parse_args()
    width, height = map(int, chosen.size.split("x"))
    cs.keep_freed_memory()
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, {chosen.size}, milliseconds")
    for model in chosen.models:
        measure(model, (width, height), chosen.runs)


if __name__ == "__main__":
    main()
