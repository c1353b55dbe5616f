"""What a kind of node knows: how a spec becomes a node of the plan, a node a module, and tensors a spec again.

One file per kind in `compiler/kinds/`. Most kinds are blocks and say four things of themselves: the tensors they own,
how channels and resolution flow through them, what those tensors tell of the spec, and the module. Containers lower and
read their children themselves.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, get_args

from codecspec.compiler.plan import Node, TensorPlan, join
from codecspec.compiler.reach import POINTWISE, Reach
from codecspec.compiler.reading import Reading, Told, View
from codecspec.schema.channel_groups import ChannelGroupsSpec
from codecspec.schema.errors import ErrorCode, Problem
from codecspec.schema.fields import SpecModel
from codecspec.schema.source import SpecPath, SpecSource

if TYPE_CHECKING:
    from torch import nn

S = TypeVar("S", bound=SpecModel)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node stands: its path in the module tree, its path in the spec, and what flows into it."""

    path: str
    spec_path: SpecPath
    channels: int
    scale: Fraction

    def at(self, name: str, *steps: str | int) -> Place:
        """The place of a child: `name` in the module tree, `steps` in the spec."""
        return replace(self, path=join(self.path, name), spec_path=self.spec_path + steps)

    def fed(self, channels: int, scale: Fraction | None = None) -> Place:
        """The same place with another input."""
        return replace(self, channels=channels, scale=self.scale if scale is None else scale)

    def after(self, node: Node) -> Place:
        """The same place fed with what `node` gives."""
        return replace(self, channels=node.c_out, scale=node.scale_out)


@dataclass(slots=True)
class Lowering:
    """One lowering of one spec: the problems found on the way, with their lines."""

    source: SpecSource
    problems: list[Problem] = field(default_factory=list)

    def lower(self, spec: SpecModel, place: Place) -> Node:
        """The node of a spec that needs to know no more than its place."""
        from codecspec.compiler.kinds import kind_of

        kind = kind_of(spec)
        if not isinstance(kind, NodeKind):
            raise TypeError(f"{kind.tag()} is not lowered by its place alone")
        return kind.lower(spec, place, self)

    def lower_conditional(self, spec: SpecModel, place: Place, params: int) -> Node:
        """The node of a spec that codes a latent given `params` channels."""
        from codecspec.compiler.kinds import conditional_kind_of

        return conditional_kind_of(spec).lower_conditional(spec, place, params, self)

    def problem(self, code: ErrorCode, spec_path: SpecPath, message: str, hint: str = "") -> None:
        """Note a problem and go on."""
        self.problems.append(Problem(code, self.source.where(spec_path), message, hint))


class Kind(ABC, Generic[S]):
    """A kind of node."""

    spec_type: ClassVar[type[SpecModel]]

    @classmethod
    @cache
    def tag(cls) -> str:
        """The `type` of its specs."""
        return str(get_args(cls.spec_type.model_fields["type"].annotation)[0])

    @abstractmethod
    def build(self, node: Node) -> nn.Module:
        """The module of a node."""

    def node(
        self,
        spec: S,
        place: Place,
        *,
        tensors: dict[str, TensorPlan] | None = None,
        macs: Fraction = Fraction(0),
        children: tuple[Node, ...] = (),
    ) -> Node:
        """A node at `place` that gives the channels and the resolution that it takes, as codecs of a latent do."""
        return Node(
            path=place.path,
            kind=self.tag(),
            spec=spec,
            c_in=place.channels,
            c_out=place.channels,
            scale_in=place.scale,
            scale_out=place.scale,
            tensors=tensors or {},
            macs=macs,
            children=children,
        )


class NodeKind(Kind[S]):
    """A kind that needs to know no more than its input: blocks, transforms, hyperpriors."""

    @abstractmethod
    def lower(self, spec: S, place: Place, lowering: Lowering) -> Node:
        """The node of `spec` at `place`, with its children."""


class LatentKind(NodeKind[S]):
    """A kind that codes a latent by itself: hyperpriors, factorized densities."""

    @abstractmethod
    def read_latent(self, view: View, channels: int | None) -> Reading | None:
        """What `view` says if it codes a latent of `channels` (None where only it can tell) in this way."""


class ConditionalKind(Kind[S]):
    """A kind that codes a latent given parameters: the leaves, and channel groups of leaves."""

    reads_mean_support: ClassVar[bool] = False
    """Whether the mean support follows the Gaussian's parameters."""

    @abstractmethod
    def lower_conditional(self, spec: S, place: Place, params: int, lowering: Lowering) -> Node:
        """The node that codes the latent at `place` (its channels are the place's) given `params` channels."""

    @abstractmethod
    def read_conditional(self, view: View, channels: int | None, params: int | None) -> Reading | None:
        """What `view` says if it codes a latent in this way; None if it does not.

        Args:
            view: its tensors.
            channels: of the latent; None where only this view can tell.
            params: channels of parameters that come in, likewise.
        """


class ContextKind(Kind[S]):
    """A kind that turns a slice's support into the parameters of its leaf."""

    nets_per_head: ClassVar[int]
    """The nets of a head; each sees an equal share of the side parameters that are in the context."""

    @abstractmethod
    def check(self, groups: ChannelGroupsSpec, place: Place, side: int, lowering: Lowering) -> None:
        """Note what keeps this context from feeding the leaves of `groups`, at `place`, out of `side` side parameters
        and earlier slices."""

    @abstractmethod
    def lower_context(
        self, spec: S, place: Place, slice_channels: int, side: int, emit: bool, lowering: Lowering
    ) -> Node:
        """The head of a slice of `slice_channels`, fed with the place's channels: `side` side parameters (0 where they
        are left out of the context), then earlier slices. With `emit`, the mean support follows the parameters in what
        it gives."""

    @abstractmethod
    def read_context(self, view: View) -> Reading | None:
        """What `view` says if it is such a head: its `c_in` are the channels that each of its nets sees, its `c_out`
        those of its slice."""


@dataclass(frozen=True, slots=True)
class Flow:
    """What passes through a block.

    Args:
        channels: channels out.
        scale: side of the output per side of the input (1/2 for a stride of 2).
        macs: multiply-accumulates per position of the input.
        held: numbers that it holds at once at most, input and output included, per position of the input; None for
            these two alone.
    """

    channels: int
    scale: Fraction = Fraction(1)
    macs: Fraction | int = 0
    held: Fraction | int | None = None


Proposal = tuple[int, Mapping[str, Told]]
"""Channels that come in, and field -> what is told of it."""


class BlockKind(NodeKind[S]):
    """A block of a transform: one input, one output, no children."""

    @abstractmethod
    def tensors(self, spec: S, c_in: int) -> dict[str, TensorPlan]:
        """The tensors it owns, by their name below its path."""

    @abstractmethod
    def flow(self, spec: S, c_in: int) -> Flow:
        """Channels, resolution and work."""

    @abstractmethod
    def read(self, view: View) -> Iterator[Proposal]:
        """What `view` says if it is this block's: the channels that come in, and the fields that shapes tell.

        A glance at a few tensors is enough: whether all of them are those of such a block is checked by `readings`.
        """

    @abstractmethod
    def module(self, spec: S, c_in: int) -> nn.Module:
        """The module."""

    def reach(self, spec: S, c_in: int) -> Reach | None:
        """How far it sees; None for the whole map, and then it never runs in pieces."""
        return None

    def readings(self, view: View) -> list[Reading]:
        """The blocks of this kind that own exactly the tensors of `view`."""
        found: list[Reading] = []
        for c_in, told in self.read(view):
            said = {"type": self.tag(), **{name: each.value for name, each in told.items()}}
            spec: Any = self.spec_type.model_construct(**said)
            if self.problem(spec, c_in) is None and view.holds(self.tensors(spec, c_in)):
                c_out = self.flow(spec, c_in).channels
                found.append(Reading(view.path, self.tag(), c_in, c_out, told, first=view.first))
        return found

    def problem(self, spec: S, c_in: int) -> tuple[str, str] | None:
        """The field that is wrong with this block on `c_in` channels and what is wrong with it, or None."""
        return None

    def lower(self, spec: S, place: Place, lowering: Lowering) -> Node:
        problem = self.problem(spec, place.channels)
        if problem:
            name, message = problem
            lowering.problem("E-channels", (*place.spec_path, name), message)
        flow = self.flow(spec, place.channels)
        held = place.channels + flow.channels * flow.scale**2 if flow.held is None else flow.held
        return Node(
            path=place.path,
            kind=self.tag(),
            spec=spec,
            c_in=place.channels,
            c_out=flow.channels,
            scale_in=place.scale,
            scale_out=place.scale * flow.scale,
            tensors=self.tensors(spec, place.channels),
            macs=flow.macs * place.scale**2,
            held=held * place.scale**2,
            reach=self.reach(spec, place.channels),
        )

    def build(self, node: Node) -> nn.Module:
        return self.module(node.spec, node.c_in)


def build_node(node: Node) -> nn.Module:
    """The module of a node, by its kind."""
    from codecspec.compiler.kinds import KINDS

    return KINDS[node.kind].build(node)


def build_children(nodes: Sequence[Node]) -> dict[str, nn.Module]:
    """The modules of several nodes by the last segment of their paths."""
    return {node.name: build_node(node) for node in nodes}


def conv_tensors(c_in: int, c_out: int, kernel: int, prefix: str = "") -> dict[str, TensorPlan]:
    """Weight and bias of a convolution."""
    return {
        join(prefix, "weight"): TensorPlan((c_out, c_in, kernel, kernel)),
        join(prefix, "bias"): TensorPlan((c_out,)),
    }


def linear_tensors(c_in: int, c_out: int, prefix: str) -> dict[str, TensorPlan]:
    """Weight and bias of a linear layer."""
    return {join(prefix, "weight"): TensorPlan((c_out, c_in)), join(prefix, "bias"): TensorPlan((c_out,))}


class Activation(BlockKind[S]):
    """A block that owns nothing and changes nothing but values."""

    def tensors(self, spec: S, c_in: int) -> dict[str, TensorPlan]:
        return {}

    def flow(self, spec: S, c_in: int) -> Flow:
        return Flow(c_in)

    def reach(self, spec: S, c_in: int) -> Reach | None:
        return POINTWISE

    def read(self, view: View) -> Iterator[Proposal]:
        return iter(())
