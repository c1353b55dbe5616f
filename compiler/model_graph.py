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

from codecspec.compiler.box_words import content_of, fields_of, flow_of, name_of, numbers_of, runs_of
from codecspec.compiler.canonical import spec_hash
from codecspec.compiler.plan import AUX, Node, Plan, join, part_of
from codecspec.compiler.statistics import statistics
from codecspec.schema.channel_groups import ChannelGroupsSpec

MAX_EDGES = 120
"""Between slices. With more nobody can follow one, and laying them out takes minutes: then only those between
neighbours are there, and each slice says in words which it sees."""

Box = dict[str, Any]
Edge = list[str]

_CONTEXT = "context_prediction"
"""What the leaves that see positions call their masked convolution."""


def model_graph(plan: Plan) -> dict[str, Any]:
    """The graph of a plan: whose it is, its figures (coding's; those of a branch that only training runs beside them),
    and the outermost box `root`."""
    figures, reference = statistics(plan), plan.spec.reference
    boxes, edges = _codec(plan)
    return {
        "name": plan.spec.name,
        "title": reference.title if reference else "",
        "venue": reference.venue if reference else "",
        "hash": spec_hash(plan.spec),
        "parameters": figures.parameters,
        "aux_parameters": figures.parameters_by_part.get("aux", 0),
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
    elif _CONTEXT in _own_parts(node):
        children = [_masked_conv(node), *(_box(child) for child in node.children)]
        edges = [[a["id"], b["id"]] for a, b in pairwise(children)]
    elif node.kind in ("sequence", "dual"):
        children = [_box(child) for child in node.children]
        edges = [[a.path, b.path] for a, b in pairwise(node.children)] if node.kind == "sequence" else []
    else:
        children = [_box(child) for child in node.children]
        edges = _inside(node.children)
    title, meaning = name_of(node)
    return {
        "id": node.path,
        "shape": "box",
        "title": title,
        "meaning": meaning,
        "kind": node.kind,
        "part": part_of(node.path),
        "says": content_of(node) if _is_stage(node) else numbers_of(node),
        "fields": fields_of(node),
        "flow": flow_of(node),
        "parameters": node.parameters,
        "kmacs": float(node.total_macs / 1000),
        "children": children,
        "edges": edges,
        "direction": "TB",
        "ordered": isinstance(node.spec, ChannelGroupsSpec),
        "folded": folded or _is_stage(node),
    }


def _is_stage(node: Node) -> bool:
    """Blocks in a row inside a transform: papers draw them as one box with what is in it."""
    return node.kind == "sequence" and node.name.isdecimal()


def _own_parts(node: Node) -> set[str]:
    """The first words of a node's own tensors."""
    return {name.partition(".")[0] for name in node.tensors}


def _masked_conv(node: Node) -> Box:
    """The part of a leaf that sees its neighbours: no node of the plan, as the leaf owns its tensors and its work."""
    own = {name: tensor for name, tensor in node.tensors.items() if name.startswith(f"{_CONTEXT}.")}
    kernel, given = node.spec.kernel, own[f"{_CONTEXT}.weight"].shape[0]
    return {
        "id": join(node.path, _CONTEXT),
        "shape": "box",
        "title": "masked conv",
        "meaning": _CONTEXT,
        "kind": "masked conv",
        "part": part_of(node.path),
        "says": f"{kernel}x{kernel}",
        "fields": "",
        "flow": f"{node.c_in} > {given} @ {node.scale_out}",
        "parameters": sum(tensor.numel for tensor in own.values() if tensor.role == "parameter"),
        "kmacs": float(node.macs / 1000),
        "children": [],
        "edges": [],
        "direction": "TB",
        "folded": False,
    }


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
        "fields": "",
        "flow": f"sees {runs_of(seen)}" if seen else "sees no slice",
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
