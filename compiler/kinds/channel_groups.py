"""`channel_groups`: y in slices, each with its context head and its leaf."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from codecspec.compiler.kind import ConditionalKind, Lowering, Place, build_node
from codecspec.compiler.plan import Node
from codecspec.compiler.read_support import told_support
from codecspec.compiler.reading import Reading, Told, Unread, View, unread_of
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
        readings = [head for head in heads if isinstance(head, Reading)]
        head = next((head for head in readings if not unread_of(head)), readings[0] if readings else None)
        first = heads[0]
        widths = _told_widths(heads, leaves, channels)
        side = _side_of(heads, leaves, params)
        told = {"side_in_context": Told(first is not None, derived=True)}
        if widths is not None and side is not None:
            leaves = [
                leaf if head is not None else _read_leaf(view, k, widths.value[k], side)
                for k, (head, leaf) in enumerate(zip(heads, leaves, strict=True))
            ]
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
    from codecspec.compiler.kinds import read_context

    at_leaves, at_heads = view.below("latent_codec"), view.below("channel_context")
    names = [f"y{k}" for k in range(min(len(at_leaves.children), MAX_SLICES))]
    if not names or set(at_leaves.children) != set(names) or not set(at_heads.children) <= set(names):
        return None
    heads = [at_heads.below(name) for name in names]
    return (
        [(read_context(head) or Unread.of(head)) if head else None for head in heads],
        [_read_leaf(view, k, None, params if not head else None) for k, head in enumerate(heads)],
    )


def _read_leaf(view: View, k: int, channels: int | None, params: int | None) -> _Leaf:
    """The leaf of slice k, of so many channels, given so many channels of parameters."""
    from codecspec.compiler.kinds import read_leaf

    leaf = view.below(f"latent_codec.y{k}")
    return read_leaf(leaf, channels, params) or Unread.of(leaf)


def _told_widths(heads: list[_Head], leaves: list[_Leaf], channels: int | None) -> Told | None:
    """The channels of every slice: what its head gives, or its leaf takes. Slices that neither says, since they are
    given nothing but the side parameters, have equal shares of the rest."""
    widths = [
        next((each.c_out for each in pair if isinstance(each, Reading) and each.c_out is not None), None)
        for pair in zip(heads, leaves, strict=True)
    ]
    missing = widths.count(None)
    if not missing:
        return Told(tuple(widths), derived=True)
    rest = (channels or 0) - sum(width for width in widths if width is not None)
    if rest <= 0 or rest % missing:
        return None
    return Told(tuple(rest // missing if width is None else width for width in widths), derived=True)


def _side_of(heads: list[_Head], leaves: list[_Leaf], params: int | None) -> int | None:
    """The side parameters: what the first head sees, which sees no slice; without one, what a leaf is given beside what
    its head gives."""
    from codecspec.compiler.kinds import context_kind

    first = heads[0]
    if isinstance(first, Reading) and first.c_in is not None:
        return context_kind(first.tag).nets_per_head * first.c_in
    if first is not None:
        return params
    for head, leaf in zip(heads, leaves, strict=True):
        if isinstance(leaf, Reading) and leaf.params is not None and not isinstance(head, Unread):
            return leaf.params - (2 * head.c_out if head and head.c_out else 0)
    return params


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
