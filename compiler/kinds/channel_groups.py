"""`channel_groups`: y in slices, each with its context head and its leaf."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codecspec.compiler.kind import ConditionalKind, Lowering, Place, build_node
from codecspec.compiler.plan import Node
from codecspec.schema.channel_groups import ChannelGroupsSpec, group_widths
from codecspec.schema.leaves import SliceLeafSpec, leaf_per_slice

if TYPE_CHECKING:
    from torch import nn


class ChannelGroups(ConditionalKind[ChannelGroupsSpec]):
    """Heads at `channel_context.y{k}`, leaves at `latent_codec.y{k}`."""

    spec_type = ChannelGroupsSpec

    def lower_conditional(self, spec: ChannelGroupsSpec, place: Place, params: int, lowering: Lowering) -> Node:
        slices: list[tuple[Node, Node]] = []
        resolved = _resolve(spec, place, params, lowering)
        if resolved:
            widths, leaves = resolved
            slices = [_lower_slice(spec, place, k, widths, leaves[k], params, lowering) for k in range(len(widths))]
        return Node(
            path=place.path,
            kind=self.tag(),
            spec=spec,
            c_in=place.channels,
            c_out=place.channels,
            scale_in=place.scale,
            scale_out=place.scale,
            children=tuple(head for head, _ in slices) + tuple(leaf for _, leaf in slices),
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


def _resolve(
    spec: ChannelGroupsSpec, place: Place, side: int, lowering: Lowering
) -> tuple[tuple[int, ...], list[SliceLeafSpec]] | None:
    """The width and the leaf of each slice, or None after noting what is wrong."""
    before = len(lowering.problems)
    widths: tuple[int, ...] = ()
    leaves: list[SliceLeafSpec] = []
    try:
        widths = group_widths(spec.groups, place.channels)
    except ValueError as error:
        lowering.problem("E-groups", (*place.spec_path, "groups"), str(error))
        return None
    try:
        leaves = leaf_per_slice(spec.leaf, len(widths))
    except ValueError as error:
        lowering.problem("E-leaf", (*place.spec_path, "leaf"), str(error))
    problem = spec.support.problem(len(widths))
    if problem:
        lowering.problem("E-support", (*place.spec_path, "support"), problem)
    if not spec.side_in_context:
        message = "a mean_scale context is made of the side parameters; it needs `side_in_context: true`"
        lowering.problem("E-context", (*place.spec_path, "side_in_context"), message)
    if side % 2:
        message = f"the side parameters do not split into means and scales: h_s gives {side} channels"
        lowering.problem("E-channels", place.spec_path, message)
    return (widths, leaves) if len(lowering.problems) == before else None


def _lower_slice(
    spec: ChannelGroupsSpec,
    place: Place,
    k: int,
    widths: tuple[int, ...],
    leaf: SliceLeafSpec,
    side: int,
    lowering: Lowering,
) -> tuple[Node, Node]:
    """The head and the leaf of slice k."""
    from codecspec.compiler.kinds import conditional_kind_of, context_kind_of

    leaf_kind = conditional_kind_of(leaf)
    emit = spec.context.emit_mean_support != "none"
    if leaf_kind.reads_mean_support and not emit:
        message = f"slice {k} has a {leaf.type} leaf, which reads the mean support, and `emit_mean_support` is none"
        lowering.problem("E-context", (*place.spec_path, "context"), message, "emit_mean_support: pre or post")
    support = side + sum(widths[j] for j in spec.support.indices(len(widths))[k])
    head_place = place.at(f"channel_context.y{k}", "context").fed(support)
    head = context_kind_of(spec.context).lower_context(
        spec.context, head_place, widths[k], side, leaf_kind.reads_mean_support, lowering
    )
    leaf_place = place.at(f"latent_codec.y{k}", "leaf").fed(widths[k])
    return head, lowering.lower_conditional(leaf, leaf_place, head.c_out)
