"""`channel_groups`: y in slices, each with its context head and its leaf."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from codecspec.compiler.kind import ConditionalKind, Lowering, Place, build_node
from codecspec.compiler.plan import Node
from codecspec.schema.channel_groups import ChannelGroupsSpec, group_widths
from codecspec.schema.leaves import GaussianSpec, SliceLeafSpec, leaf_indexes, leaf_per_slice
from codecspec.schema.support import SliceIndexes

if TYPE_CHECKING:
    from torch import nn


class ChannelGroups(ConditionalKind[ChannelGroupsSpec]):
    """Heads at `channel_context.y{k}`, leaves at `latent_codec.y{k}`."""

    spec_type = ChannelGroupsSpec

    def lower_conditional(self, spec: ChannelGroupsSpec, place: Place, params: int, lowering: Lowering) -> Node:
        slices: list[tuple[Node, Node]] = []
        resolved = _resolve(spec, place, params, lowering)
        if resolved:
            slices = [_lower_slice(spec, place, k, resolved, params, lowering) for k in range(len(resolved.widths))]
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


@dataclass(frozen=True, slots=True)
class _Slices:
    """What the fields of a spec without problems come to, per slice."""

    widths: tuple[int, ...]
    leaf_indexes: list[int]
    leaves: list[SliceLeafSpec]
    supports: SliceIndexes


def _resolve(spec: ChannelGroupsSpec, place: Place, side: int, lowering: Lowering) -> _Slices | None:
    """The slices, or None after noting what is wrong."""
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
    if not spec.side_in_context:
        message = "a mean_scale context is made of the side parameters, and they are left out of it"
        lowering.problem("E-context", (*place.spec_path, "side_in_context"), message, "side_in_context: true")
    if side % 2:
        message = f"the side parameters do not split into means and scales: h_s gives {side} channels"
        lowering.problem("E-channels", place.spec_path, message)
    _check_leaves(spec, place, lowering)
    if len(lowering.problems) > before:
        return None
    return _Slices(widths, leaf_of, leaf_per_slice(spec.leaf, len(widths)), spec.support.indices(len(widths)))


def _check_leaves(spec: ChannelGroupsSpec, place: Place, lowering: Lowering) -> None:
    """Every leaf reads what the context gives: scales, then means, then the mean support if it is emitted."""
    from codecspec.compiler.kinds import conditional_kind_of

    for i, leaf in enumerate(spec.leaf):
        if conditional_kind_of(leaf).reads_mean_support and spec.context.emit_mean_support == "none":
            message = f"a {leaf.type} leaf reads the mean support, and `emit_mean_support` is none"
            path = (*place.spec_path, "context", "emit_mean_support")
            lowering.problem("E-context", path, message, "emit_mean_support: pre or post")
        if isinstance(leaf, GaussianSpec) and leaf.chunks != ("scales", "means"):
            message = f"a mean_scale context gives scales, then means, and the leaf reads {', then '.join(leaf.chunks)}"
            path = (*place.spec_path, "leaf", i, "chunks")
            lowering.problem("E-context", path, message, "chunks: [scales, means]")


def _lower_slice(
    spec: ChannelGroupsSpec,
    place: Place,
    k: int,
    slices: _Slices,
    side: int,
    lowering: Lowering,
) -> tuple[Node, Node]:
    """The head and the leaf of slice k."""
    from codecspec.compiler.kinds import conditional_kind_of, context_kind_of

    leaf, width = slices.leaves[k], slices.widths[k]
    support = side + sum(slices.widths[j] for j in slices.supports[k])
    head_place = place.at(f"channel_context.y{k}", "context").fed(support)
    head = context_kind_of(spec.context).lower_context(
        spec.context, head_place, width, side, conditional_kind_of(leaf).reads_mean_support, lowering
    )
    leaf_place = place.at(f"latent_codec.y{k}", "leaf", slices.leaf_indexes[k]).fed(width)
    return head, lowering.lower_conditional(leaf, leaf_place, head.c_out)
