"""A codec as its papers draw it: the boxes of a plan inside one another, and what flows between those side by side.

Plain data, for whatever draws it: `codecspec.picture` does. A box is a node of the plan, or a tensor with a name (y,
z_hat), or a slice with its context head and its leaf; edges join boxes of one parent, and where that is `ordered`, its
children stand one after the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

from codecspec.compiler.canonical import spec_hash
from codecspec.compiler.plan import AUX, Node, Plan, join, part_of
from codecspec.compiler.statistics import statistics
from codecspec.schema.channel_groups import ChannelGroupsSpec

MAX_EDGES = 120
"""Between slices. With more nobody can follow one, and laying them out takes minutes: then only those between
neighbours are there, and each slice says in words which it sees."""

Box = dict[str, Any]
Edge = list[str]

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


def model_graph(plan: Plan) -> dict[str, Any]:
    """The graph of a plan: `name`, `title`, `hash`, `figures`, and the outermost box `root`."""
    figures, reference = statistics(plan), plan.spec.reference
    boxes, edges = _codec(plan)
    return {
        "name": plan.spec.name,
        "title": reference.title if reference else "",
        "venue": reference.venue if reference else "",
        "hash": spec_hash(plan.spec),
        "parameters": figures.parameters,
        "kmacs": figures.kmacs_per_pixel,
        "stride": plan.stride,
        "root": {"id": "", "children": boxes, "edges": edges, "direction": "LR"},
    }


def _codec(plan: Plan) -> tuple[list[Box], list[Edge]]:
    g_a, g_s, latent_codec = plan.root("g_a"), plan.root("g_s"), plan.root("latent_codec")
    boxes = [_value("x", "image", g_a.c_in, g_a.scale_in), _box(g_a), _value("y", "latent", g_a.c_out, g_a.scale_out)]
    inner, edges = _latent_codec(latent_codec)
    boxes += inner
    boxes += [_value("y_hat", "decoded latent", g_s.c_in, g_s.scale_in), _box(g_s)]
    boxes += [_value("x_hat", "decoded image", g_s.c_out, g_s.scale_out)]
    edges = [["x", "g_a"], ["g_a", "y"], *edges, ["y_hat", "g_s"], ["g_s", "x_hat"]]
    for root in plan.roots:
        if root.path == AUX:
            boxes.append(_box(root, folded=True))
            edges += [["y", AUX], [join("latent_codec", "h_s"), AUX]]
    return boxes, edges


def _latent_codec(node: Node) -> tuple[list[Box], list[Edge]]:
    """What codes y, with a hyperprior or without: z goes through its density to z_hat, and that to y's parameters."""
    parts = {child.name: child for child in node.children}
    y = parts.get("y", node)
    boxes, edges = [_box(y)], [["y", y.path], [y.path, "y_hat"]]
    if {"h_a", "z", "h_s"} <= set(parts):
        h_a, z, h_s = parts["h_a"], parts["z"], parts["h_s"]
        boxes = [
            _box(h_a),
            _value("z", "hyper-latent", z.c_in, z.scale_in),
            _box(z),
            _value("z_hat", "decoded hyper-latent", z.c_out, z.scale_out),
            _box(h_s),
            *boxes,
        ]
        chain = ["y", h_a.path, "z", z.path, "z_hat", h_s.path, y.path]
        edges = [*map(list, pairwise(chain)), *edges]
    return boxes, edges


def _value(name: str, meaning: str, channels: int, scale: Fraction) -> Box:
    return {"id": name, "shape": "value", "title": name, "says": meaning, "flow": f"{channels} @ {scale}"}


def _box(node: Node, *, folded: bool = False) -> Box:
    """A node with all that is inside it."""
    if isinstance(node.spec, ChannelGroupsSpec):
        children, edges = _slices(node)
    elif node.kind in ("sequence", "dual"):
        children = [_box(child) for child in node.children]
        edges = [[a.path, b.path] for a, b in pairwise(node.children)] if node.kind == "sequence" else []
    else:
        children = [_box(child) for child in node.children]
        edges = _inside(node.children)
    title, meaning = _name(node)
    return {
        "id": node.path,
        "shape": "box",
        "title": title,
        "meaning": meaning,
        "kind": node.kind,
        "part": part_of(node.path),
        "says": _says(node),
        "flow": _flow(node),
        "parameters": node.parameters,
        "kmacs": float(node.total_macs / 1000),
        "children": children,
        "edges": edges,
        "direction": "TB",
        "ordered": isinstance(node.spec, ChannelGroupsSpec),
        "folded": folded,
    }


def _name(node: Node) -> tuple[str, str]:
    """What a box is called, and what that means: parts as the papers call them, all else by its kind."""
    if node.name in _MEANING:
        return node.name, _MEANING[node.name]
    if node.path == "latent_codec.y":
        return node.name, node.kind
    role = "" if node.name.isdecimal() or node.path == "latent_codec.z" else node.name
    return node.kind, "" if role.startswith("y") and role[1:].isdecimal() else role


def _slices(node: Node) -> tuple[list[Box], list[Edge]]:
    """A box per slice, folded, and an edge from every slice to those that see it (see `MAX_EDGES`)."""
    leaves = [child for child in node.children if child.path.startswith(join(node.path, "latent_codec."))]
    heads = {child.name: child for child in node.children if child not in leaves}
    supports = node.spec.support.indices(len(leaves))
    boxes = [
        _slice(node, k, leaf, heads.get(leaf.name), seen)
        for k, (leaf, seen) in enumerate(zip(leaves, supports, strict=True))
    ]
    pairs = [(j, k) for k, seen in enumerate(supports) for j in seen]
    if len(pairs) > MAX_EDGES:
        pairs = [(j, k) for j, k in pairs if k == j + 1]
    return boxes, [[boxes[j]["id"], boxes[k]["id"]] for j, k in pairs]


def _slice(node: Node, k: int, leaf: Node, head: Node | None, seen: Sequence[int]) -> Box:
    nodes = [leaf] if head is None else [head, leaf]
    return {
        "id": f"{node.path}:{k}",
        "shape": "box",
        "title": f"slice {k}",
        "meaning": f"{leaf.c_in} channels",
        "kind": "slice",
        "part": part_of(node.path),
        "says": " > ".join(each.kind for each in nodes),
        "flow": f"sees {_runs(seen)}" if seen else "sees no slice",
        "parameters": sum(each.parameters for each in nodes),
        "kmacs": float(sum((each.total_macs for each in nodes), Fraction(0)) / 1000),
        "children": [_box(each) for each in nodes],
        "edges": [[a.path, b.path] for a, b in pairwise(nodes)],
        "direction": "TB",
        "folded": True,
    }


def _inside(children: Iterable[Node]) -> list[Edge]:
    """In a context head each transform of the support feeds the net of its name; elsewhere nothing is known."""
    nets = {child.name: child.path for child in children}
    pairs = [(f"{what}_support_transform", f"{what}_cc") for what in ("mean", "scale")]
    return [[nets[before], nets[after]] for before, after in pairs if before in nets and after in nets]


def _runs(indexes: Sequence[int]) -> str:
    """`0-4, 7`."""
    runs: list[list[int]] = []
    for index in indexes:
        if runs and index == runs[-1][-1] + 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _flow(node: Node) -> str:
    channels = str(node.c_in) if node.c_in == node.c_out else f"{node.c_in} > {node.c_out}"
    return f"{channels} @ {node.scale_out}"


def _says(node: Node) -> str:
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
