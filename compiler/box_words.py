"""What a box in the graph of a model says: its name, its channels, its numbers.

See `compiler/model_graph.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from codecspec.compiler.plan import AUX, Node

_MEANING = {
    "g_a": "analysis",
    "g_s": "synthesis",
    "h_a": "hyper-analysis",
    "h_s": "hyper-synthesis",
    "h_mean_s": "hyper-synthesis of means",
    "h_scale_s": "hyper-synthesis of scales",
    AUX: "training only",
}
_SAID_ELSEWHERE = {"type", "out", "stride", "factor", "count", "quantizer", "kernel", "patch", "drop_path"}


def name_of(node: Node) -> tuple[str, str]:
    """What a box is called, and what that means: parts as the papers call them, all else by its kind."""
    if node.name in _MEANING:
        return node.name, _MEANING[node.name]
    if node.path == "latent_codec.y":
        return node.name, node.kind
    role = "" if node.name.isdecimal() or node.path == "latent_codec.z" else node.name
    return node.kind, "" if role.startswith("y") and role[1:].isdecimal() else role


def content_of(node: Node) -> str:
    """`3 residual_bottleneck, 4 naf`."""
    return ", ".join(f"{len(list(run))} {kind}" for kind, run in groupby(child.kind for child in node.children))


def runs_of(indexes: Sequence[int]) -> str:
    """`0-4, 7`."""
    runs: list[list[int]] = []
    for index in indexes:
        if runs and index == runs[-1][-1] + 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def flow_of(node: Node) -> str:
    """Channels in and out, and the side of the output as a part of the image's: `3 > 192 @ 1/2`."""
    channels = str(node.c_in) if node.c_in == node.c_out else f"{node.c_in} > {node.c_out}"
    return f"{channels} @ {node.scale_out}"


def numbers_of(node: Node) -> str:
    """The kernel, the stride, and the node's own numbers that are not their defaults."""
    spec = node.spec
    said = [f"{getattr(spec, side)}x{getattr(spec, side)}" for side in ("kernel", "patch") if hasattr(spec, side)]
    if node.scale_out != node.scale_in and node.kind not in ("sequence", "dual"):
        ratio = node.scale_out / node.scale_in
        said.append(f"stride {1 / ratio}" if ratio < 1 else f"up {ratio}")
    for name, value in spec.model_dump(exclude_defaults=True, exclude=_SAID_ELSEWHERE).items():
        if value is True:
            said.append(name)
        elif isinstance(value, (int, float, str)):
            said.append(f"{name} {value}")
        elif name == "widths":
            said.append(f"widths {' '.join(map(str, value))}")
    return ", ".join(said)


def fields_of(node: Node) -> str:
    """All of the node's own numbers and words, defaults too: `out 192, kernel 5, stride 2`."""
    said = node.spec.model_dump(exclude={"type"}).items()
    return ", ".join(f"{name} {value}".lower() for name, value in said if isinstance(value, (int, float, str)))
