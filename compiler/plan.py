"""The plan: the tree of a codec's nodes with their channels, resolution, tensors and work, and no torch.

`--tree`, statistics, the key contract of `build` and (read backwards) the proof of inference all work on it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal

from codecspec.compiler.reach import Reach
from codecspec.schema.model import ModelSpec

Role = Literal["parameter", "buffer", "table"]
Part = Literal["g_a", "hyper", "context", "g_s", "aux"]
PARTS: tuple[Part, ...] = ("g_a", "hyper", "context", "g_s")
"""The parts of every codec; where there is an auxiliary branch, it is one more."""
AUX = "aux_entropy_model"
"""The path of the auxiliary branch."""
ROOTS = ("g_a", "g_s", "latent_codec", AUX)
"""Where canonical keys begin."""


@dataclass(frozen=True, slots=True)
class TensorPlan:
    """One tensor of a module's state.

    Args:
        shape: its shape.
        role: a `parameter` is learned; a `buffer` is a constant; a `table` is a coding table, empty until it is made
            from the parameters and then of whatever length they ask for.
        dtype: its type, as torch and safetensors spell it.
    """

    shape: tuple[int, ...]
    role: Role = "parameter"
    dtype: str = "float32"

    @property
    def numel(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Node:
    """A module-to-be.

    Args:
        path: its path in the module tree, which is also the prefix of its keys.
        kind: which kind it is (`compiler/kinds/<kind>.py`).
        spec: what the spec says of it; its type is the kind's `spec_type`.
        c_in: channels it takes.
        c_out: channels it gives.
        scale_in: side of its input in positions, per pixel of the image's side (1/16 after four strides of 2).
        scale_out: the same for its output.
        tensors: its own tensors, by their name below `path`.
        macs: its own multiply-accumulates per pixel of the image.
        held: numbers that it holds at once at most while it runs, its input and its output included, per pixel of the
            image; 0 for a container, whose children hold them.
        reach: how far it sees; None for the whole map, and for a container.
        children: the nodes inside it, in the order of the module tree.
    """

    path: str
    kind: str
    spec: Any
    c_in: int
    c_out: int
    scale_in: Fraction
    scale_out: Fraction
    tensors: dict[str, TensorPlan] = field(default_factory=dict)
    macs: Fraction = Fraction(0)
    held: Fraction = Fraction(0)
    reach: Reach | None = None
    children: tuple[Node, ...] = ()

    @property
    def name(self) -> str:
        """The last segment of the path."""
        return self.path.rpartition(".")[2]

    def child(self, name: str) -> Node:
        """The child whose path is this node's and `name` (which may have dots)."""
        return next(child for child in self.children if child.path == join(self.path, name))

    def walk(self) -> Iterator[Node]:
        """This node and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()

    @property
    def parameters(self) -> int:
        """Learned numbers in this node and below it."""
        return sum(t.numel for node in self.walk() for t in node.tensors.values() if t.role == "parameter")

    @property
    def total_macs(self) -> Fraction:
        """Multiply-accumulates per pixel of this node and all below it."""
        return sum((node.macs for node in self.walk()), Fraction(0))


@dataclass(frozen=True)
class Plan:
    """A whole codec: its spec in canonical form and the nodes g_a, g_s, latent_codec and, where the spec has `aux`,
    aux_entropy_model.

    Figures are for images whose sides are multiples of `stride`.
    """

    spec: ModelSpec
    roots: tuple[Node, ...]

    def root(self, name: str) -> Node:
        """g_a, g_s, latent_codec or aux_entropy_model."""
        return next(node for node in self.roots if node.path == name)

    def walk(self) -> Iterator[Node]:
        """Every node, parents first, in module order."""
        for root in self.roots:
            yield from root.walk()

    @cached_property
    def stride(self) -> int:
        """Images are padded to multiples of this many pixels."""
        return math.lcm(*(node.scale_out.denominator for node in self.walk()))

    @cached_property
    def _manifest(self) -> dict[str, TensorPlan]:
        return {join(node.path, name): t for node in self.walk() for name, t in node.tensors.items()}

    def manifest(self) -> dict[str, TensorPlan]:
        """Every tensor of the codec by its key, in module order: the key contract."""
        return dict(self._manifest)

    @property
    def parameters(self) -> int:
        """Learned numbers."""
        return sum(root.parameters for root in self.roots)

    def macs_by_part(self) -> dict[Part, Fraction]:
        """Multiply-accumulates per pixel of the image by part: g_a, hyper (h_a, h_s, the density of z), context (all
        that predicts y: heads and the nets of leaves, LRPs included, or y's own density), g_s, and aux where there is
        an auxiliary branch, which coding does not run."""
        return self._by_part({node.path: node.macs for node in self.walk()})

    def parameters_by_part(self) -> dict[Part, Fraction]:
        """Learned numbers by part; see `macs_by_part`."""
        own = {
            node.path: Fraction(sum(t.numel for t in node.tensors.values() if t.role == "parameter"))
            for node in self.walk()
        }
        return self._by_part(own)

    @staticmethod
    def _by_part(figures: dict[str, Fraction]) -> dict[Part, Fraction]:
        totals: dict[Part, Fraction] = {part: Fraction(0) for part in PARTS}
        for path, figure in figures.items():
            totals[part_of(path)] = totals.get(part_of(path), Fraction(0)) + figure
        return totals


def join(prefix: str, name: str) -> str:
    """`prefix.name`; the one place where paths, and so keys, are put together."""
    return f"{prefix}.{name}" if prefix else name


def part_of(path: str) -> Part:
    """The part that a node belongs to, by its path."""
    segments = path.split(".")
    if segments[0] == "g_a":
        return "g_a"
    if segments[0] == "g_s":
        return "g_s"
    if segments[0] == AUX:
        return "aux"
    return "context" if segments[:2] == ["latent_codec", "y"] else "hyper"
