"""`channel_groups`: y in slices, each with its context head and its leaf."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from codecspec.compiler.kind import ConditionalKind, Lowering, Place, build_node
from codecspec.compiler.plan import Node
from codecspec.schema.channel_groups import ChannelGroupsSpec, group_widths
from codecspec.schema.leaves import SliceLeafSpec, leaf_indexes, leaf_per_slice
from codecspec.schema.support import SliceIndexes

if TYPE_CHECKING:
    from torch import nn


class ChannelGroups(ConditionalKind[ChannelGroupsSpec]):
    """Heads at `channel_context.y{k}`, leaves at `latent_codec.y{k}`; its node's spec has the leaves slice by slice, as
    they were lowered."""

    spec_type = ChannelGroupsSpec

    def lower_conditional(self, spec: ChannelGroupsSpec, place: Place, params: int, lowering: Lowering) -> Node:
        slices: list[tuple[Node | None, Node]] = []
        resolved = _resolve(spec, place, params, lowering)
        if resolved:
            slices = [_lower_slice(spec, place, k, resolved, params, lowering) for k in range(len(resolved.widths))]
        leaves = [leaf for _, leaf in slices]
        return Node(
            path=place.path,
            kind=self.tag(),
            spec=spec.model_copy(update={"leaf": tuple(_alone(leaf.spec) for leaf in leaves)}) if leaves else spec,
            c_in=place.channels,
            c_out=place.channels,
            scale_in=place.scale,
            scale_out=place.scale,
            children=(*(head for head, _ in slices if head), *leaves),
        )

    def build(self, node: Node) -> nn.Module:
        from codecspec.runtime.latent_codecs.channel_groups import ChannelGroupsLatentCodec

        heads = [child for child in node.children if ".channel_context." in child.path[len(node.path) :]]
        leaves = [child for child in node.children if child not in heads]
        return ChannelGroupsLatentCodec(
            {leaf.name: build_node(leaf) for leaf in leaves},
            {head.name: build_node(head) for head in heads},
            groups=[leaf.c_in for leaf in leaves],
            support_slices=node.spec.support.indices(len(leaves)),
            side_in_context=node.spec.side_in_context,
        )


@dataclass(frozen=True, slots=True)
class _Slices:
    """What the fields of a spec without problems come to, per slice."""

    widths: tuple[int, ...]
    leaf_indexes: list[int]
    leaves: list[SliceLeafSpec]
    supports: SliceIndexes


def _resolve(spec: ChannelGroupsSpec, place: Place, side: int, lowering: Lowering) -> _Slices | None:
    """The slices, or None after noting what is wrong."""
    from codecspec.compiler.kinds import context_kind_of

    before = len(lowering.problems)
    leaf_of: list[int] = []
    try:
        widths = group_widths(spec.groups, place.channels)
    except ValueError as error:
        lowering.problem("E-groups", (*place.spec_path, "groups"), str(error))
        return None
    try:
        leaf_of = leaf_indexes(spec.leaf, len(widths))
    except ValueError as error:
        lowering.problem("E-leaf", (*place.spec_path, "leaf"), str(error))
    problem = spec.support.problem(len(widths))
    if problem:
        steps, message = problem
        lowering.problem("E-support", (*place.spec_path, "support", *steps), message)
    context_kind_of(spec.context).check(spec, place, side, lowering)
    if len(lowering.problems) > before:
        return None
    return _Slices(widths, leaf_of, leaf_per_slice(spec.leaf, len(widths)), spec.support.indices(len(widths)))


def _lower_slice(
    spec: ChannelGroupsSpec,
    place: Place,
    k: int,
    slices: _Slices,
    side: int,
    lowering: Lowering,
) -> tuple[Node | None, Node]:
    """The head, if the slice has something to see, and the leaf of slice k."""
    from codecspec.compiler.kinds import conditional_kind_of, context_kind_of

    leaf, width = slices.leaves[k], slices.widths[k]
    in_context = side if spec.side_in_context else 0
    seen = in_context + sum(slices.widths[j] for j in slices.supports[k])
    params = side - in_context
    head = None
    if seen:
        head_place = place.at(f"channel_context.y{k}", "context").fed(seen)
        head = context_kind_of(spec.context).lower_context(
            spec.context, head_place, width, in_context, conditional_kind_of(leaf).reads_mean_support, lowering
        )
        params += head.c_out
    leaf_place = place.at(f"latent_codec.y{k}", "leaf", slices.leaf_indexes[k]).fed(width)
    return head, lowering.lower_conditional(leaf, leaf_place, params)


def _alone(leaf: SliceLeafSpec) -> SliceLeafSpec:
    """A leaf as it was lowered, for one slice."""
    return leaf.model_copy(update={"count": 1})
