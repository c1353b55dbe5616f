"""What flows through a codec: which tensors each node of a plan takes, which it gives, and how long they are held.

The plan is a tree of modules; this is the graph that the picture of a model draws and that says how long a tensor is
needed. Blocks in a row, hyperpriors, and y in channel groups are followed inside; a kind that is not known here is one
step that takes what its container takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from codecspec.compiler.plan import Node, Plan, join
from codecspec.schema.channel_groups import ChannelGroupsSpec

LIKELIHOOD = 6
"""Numbers that a Gaussian's likelihood takes at once, per sample (CompressAI's GaussianConditional)."""


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor between two nodes.

    Args:
        name: as the papers call it (x, y, z_hat), or the path of the node that gives it.
        channels: its channels.
        scale: its side in positions, per pixel of the image's side.
        giver: the path of the node that gives it; empty for the image.
    """

    name: str
    channels: int
    scale: Fraction
    giver: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One node at work, or tensors joined for it.

    Args:
        path: the node's path.
        takes: what it reads.
        gives: what it makes.
        held: numbers that the node holds at once at most, `takes` and `gives` included, per pixel of the image; None
            for just these.
        keeps: what is there until it is done without being read by it: a row of blocks keeps its input to its end.
    """

    path: str
    takes: tuple[Value, ...]
    gives: Value
    held: Fraction | None = None
    keeps: tuple[Value, ...] = ()


def dataflow(plan: Plan) -> tuple[Step, ...]:
    """The steps of a codec from image to image, in the order in which they run; an auxiliary branch, which coding does
    not run, is left out."""
    flow = _Flow()
    g_a, g_s = plan.root("g_a"), plan.root("g_s")
    y = flow.run(g_a, Value("x", g_a.c_in, g_a.scale_in), "y")
    y_hat = flow.latent_codec(plan.root("latent_codec"), y)
    flow.run(g_s, y_hat, "x_hat")
    return tuple(flow.steps)


class _Flow:
    def __init__(self) -> None:
        self.steps: list[Step] = []

    def step(self, node: Node, takes: Sequence[Value], name: str = "") -> Value:
        """A node at work; a block takes one tensor, so several are joined for it."""
        if node.held and len(takes) > 1:
            takes = [self.join(node, takes)]
        gives = Value(name or node.path, node.c_out, node.scale_out, node.path)
        self.steps.append(Step(node.path, tuple(takes), gives, node.held or None))
        return gives

    def join(self, node: Node, takes: Sequence[Value]) -> Value:
        """The input of `node` as one tensor."""
        joined = Value(f"{node.path} in", node.c_in, node.scale_in, node.path)
        self.steps.append(Step(node.path, tuple(takes), joined))
        return joined

    def run(self, node: Node, value: Value, name: str = "") -> Value:
        """A transform: blocks in a row, or two such rows side by side."""
        if not node.children:
            return self.step(node, [value], name)
        if node.kind == "dual":
            return self.step(node, [self.run(net, value) for net in node.children], name)
        *first, last = node.children
        given = value
        for child in first:
            given = self.run(child, given)
        given = self.run(last, given, name)
        self.steps[-1] = replace(self.steps[-1], keeps=(*self.steps[-1].keeps, value))
        return given

    def latent_codec(self, node: Node, y: Value) -> Value:
        """y -> y_hat."""
        parts = {child.name: child for child in node.children}
        if not {"h_a", "z", "h_s", "y"} <= set(parts):
            return self.step(parts.get("y", node), [y], "y_hat")
        z_hat = self.step(parts["z"], [self.run(parts["h_a"], y, "z")], "z_hat")
        side = self.run(parts["h_s"], z_hat, "side")
        if isinstance(parts["y"].spec, ChannelGroupsSpec):
            return self.slices(parts["y"], y, side)
        return self.leaf(parts["y"], [y, side], "y_hat")

    def slices(self, node: Node, y: Value, side: Value) -> Value:
        """y slice by slice: the support is what is decoded of the slices that a slice sees."""
        leaves = [child for child in node.children if child.path.startswith(join(node.path, "latent_codec."))]
        heads = {child.name: child for child in node.children if child not in leaves}
        in_context = [side] if node.spec.side_in_context else []
        decoded: list[Value] = []
        for leaf, seen in zip(leaves, node.spec.support.indices(len(leaves)), strict=True):
            params = [] if in_context else [side]
            if leaf.name in heads:
                params.append(self.head(heads[leaf.name], [*in_context, *(decoded[j] for j in seen)]))
            decoded.append(self.leaf(leaf, [y, *params], f"{leaf.name}_hat"))
        return self.step(node, decoded, "y_hat")

    def head(self, node: Node, takes: Sequence[Value]) -> Value:
        """The context head of a slice: a net, or nets for the means and for the scales with a transform before each."""
        if not node.children:
            return self.step(node, takes)
        support = [self.join(node, takes)]
        given: list[Value] = []
        for what in ("mean", "scale"):
            nets = {child.name: child for child in node.children if child.name.startswith(what)}
            value = self.join(nets[f"{what}_cc"], support[:1])
            for name in (f"{what}_support_transform", f"{what}_cc"):
                support.append(value)
                value = self.step(nets[name], [value]) if name in nets else value
            given.append(value)
        return self.step(node, [*support, *given])

    def leaf(self, node: Node, takes: Sequence[Value], name: str) -> Value:
        """What codes a latent given parameters, and the nets that it has for them or for what it decoded."""
        given = [self.step(child, takes) for child in node.children]
        decoded = self.step(node, [*takes, *given], name)
        read = sum(map(_size, {*takes, *given}), Fraction(0))
        self.steps[-1] = replace(self.steps[-1], held=read + (1 + LIKELIHOOD) * _size(decoded))
        return decoded


def held(steps: Sequence[Step]) -> list[Fraction]:
    """Numbers that are held while each step runs, per pixel of the image: what it holds itself, and what is there for
    later steps. The image stays to the end, as its owner may want it."""
    last_use = {value: i for i, step in enumerate(steps) for value in (*step.takes, *step.keeps)}
    made: dict[Value, Fraction] = {steps[0].takes[0]: _size(steps[0].takes[0])}
    last_use[steps[0].takes[0]] = len(steps)
    figures = []
    for i, step in enumerate(steps):
        own = {step.gives, *step.takes}
        inside = step.held if step.held is not None else sum(map(_size, own), Fraction(0))
        figures.append(inside + sum((size for value, size in made.items() if value not in own), Fraction(0)))
        made[step.gives] = _size(step.gives)
        made = {value: size for value, size in made.items() if last_use.get(value, -1) > i}
    return figures


def _size(value: Value) -> Fraction:
    return value.channels * value.scale**2
