"""`channel_groups`: y in slices, each with its context head and its leaf."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from codecspec.compiler.kind import ConditionalKind, Lowering, Place, build_node
from codecspec.compiler.plan import Node
from codecspec.compiler.read_support import told_support
from codecspec.compiler.reading import Reading, Told, Unread, View
from codecspec.schema.channel_groups import ChannelGroupsSpec, group_widths
from codecspec.schema.fields import MAX_SLICES
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

    def read_conditional(self, view: View, channels: int | None, params: int | None) -> Reading | None:
        slices = _read_slices(view, params)
        if slices is None:
            return None
        heads, leaves = slices
        head = next((head for head in heads if isinstance(head, Reading)), None)
        first = heads[0]
        widths = _told_widths(heads, leaves, channels)
        side = _side_of(first, leaves[0], params)
        told = {"side_in_context": Told(first is not None, derived=True)}
        support = None
        if widths is not None and side is not None and not any(isinstance(seen, Unread) for seen in heads):
            support = told_support(widths.value, _seen_of_prior(heads, side))
        told |= {name: value for name, value in (("groups", widths), ("support", support)) if value is not None}
        parts: dict[str, Any] = {"leaf": tuple(leaves)}
        unread = next((head for head in heads if isinstance(head, Unread)), None)
        if head is not None or unread is not None:
            parts["context"] = unread or head
        total = sum(widths.value) if widths is not None else channels
        return Reading(view.path, self.tag(), total, total, told, parts, params=side, first=view.first)

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


_Head = Reading | Unread | None
_Leaf = Reading | Unread


def _read_slices(view: View, params: int | None) -> tuple[list[_Head], list[_Leaf]] | None:
    """The head (None for a slice without one) and the leaf of every slice; None if these are no slices."""
    from codecspec.compiler.kinds import read_context, read_leaf

    at_leaves, at_heads = view.below("latent_codec"), view.below("channel_context")
    names = [f"y{k}" for k in range(min(len(at_leaves.children), MAX_SLICES))]
    if not names or set(at_leaves.children) != set(names) or not set(at_heads.children) <= set(names):
        return None
    heads = [at_heads.below(name) for name in names]
    leaves = [at_leaves.below(name) for name in names]
    return (
        [(read_context(head) or Unread.of(head)) if head else None for head in heads],
        [
            read_leaf(leaf, None, params if not head else None) or Unread.of(leaf)
            for head, leaf in zip(heads, leaves, strict=True)
        ],
    )


def _told_widths(heads: list[_Head], leaves: list[_Leaf], channels: int | None) -> Told | None:
    """The channels of every slice: what its head gives, or its leaf takes; of one slice that neither says, the rest."""
    widths = [
        next((each.c_out for each in pair if isinstance(each, Reading) and each.c_out is not None), None)
        for pair in zip(heads, leaves, strict=True)
    ]
    missing = [k for k, width in enumerate(widths) if width is None]
    known = sum(width for width in widths if width is not None)
    if missing and (len(missing) > 1 or channels is None or channels <= known):
        return None
    return Told(tuple((channels or 0) - known if width is None else width for width in widths), derived=True)


def _side_of(head: _Head, leaf: _Leaf, params: int | None) -> int | None:
    """The side parameters: what the first slice, which sees no other, sees."""
    from codecspec.compiler.kinds import context_kind

    if isinstance(head, Reading) and head.c_in is not None:
        return context_kind(head.tag).nets_per_head * head.c_in
    told = leaf.params if head is None and isinstance(leaf, Reading) else None
    return params if told is None else told


def _seen_of_prior(heads: list[_Head], side: int) -> list[int]:
    """The channels of earlier slices that each slice sees."""
    from codecspec.compiler.kinds import context_kind

    in_context = heads[0] is not None
    seen: list[int] = []
    for head in heads:
        if not isinstance(head, Reading) or head.c_in is None:
            seen.append(0)
        else:
            seen.append(head.c_in - (side // context_kind(head.tag).nets_per_head if in_context else 0))
    return seen
