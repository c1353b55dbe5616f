"""`mean_scale`: two nets per slice, one from the mean half of the side parameters, one from the scale half."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codecspec.compiler.kind import ContextKind, Lowering, Place, build_children
from codecspec.compiler.kinds.entropy_transform import read_transform
from codecspec.compiler.plan import Node
from codecspec.compiler.reading import Reading, Told, Unread, View
from codecspec.schema.channel_groups import ChannelGroupsSpec, MeanScaleContextSpec
from codecspec.schema.entropy_transform import EntropyTransformSpec
from codecspec.schema.leaves import GaussianSpec

if TYPE_CHECKING:
    from torch import nn


class MeanScale(ContextKind[MeanScaleContextSpec]):
    """`mean_cc` and `scale_cc`, each over (its half of the side parameters, earlier slices), and before each a
    `mean_support_transform` and `scale_support_transform` of its own where the spec has one."""

    spec_type = MeanScaleContextSpec
    nets_per_head = 2

    def check(self, groups: ChannelGroupsSpec, place: Place, side: int, lowering: Lowering) -> None:
        from codecspec.compiler.kinds import conditional_kind_of

        if not groups.side_in_context:
            message = "a mean_scale context is made of the side parameters, and they are left out of it"
            lowering.problem("E-context", (*place.spec_path, "side_in_context"), message, "side_in_context: true")
        if side % 2:
            message = f"the side parameters do not split into means and scales: h_s gives {side} channels"
            lowering.problem("E-channels", place.spec_path, message)
        emits = isinstance(groups.context, MeanScaleContextSpec) and groups.context.emit_mean_support != "none"
        for i, leaf in enumerate(groups.leaf):
            if conditional_kind_of(leaf).reads_mean_support and not emits:
                message = f"a {leaf.type} leaf reads the mean support, and `emit_mean_support` is none"
                path = (*place.spec_path, "context", "emit_mean_support")
                lowering.problem("E-context", path, message, "emit_mean_support: pre or post")
            if isinstance(leaf, GaussianSpec) and leaf.chunks != ("scales", "means"):
                message = (
                    f"a mean_scale context gives scales, then means, and the leaf reads {', then '.join(leaf.chunks)}"
                )
                path = (*place.spec_path, "leaf", i, "chunks")
                lowering.problem("E-context", path, message, "chunks: [scales, means]")

    def lower_context(
        self, spec: MeanScaleContextSpec, place: Place, slice_channels: int, side: int, emit: bool, lowering: Lowering
    ) -> Node:
        support = place.channels - side // 2
        head = EntropyTransformSpec(type="entropy_transform", widths=spec.widths, out=slice_channels)
        children = [lowering.lower(head, place.at(name).fed(support)) for name in ("mean_cc", "scale_cc")]
        if spec.transform is not None:
            names = ("mean_support_transform", "scale_support_transform")
            children += [lowering.lower(spec.transform, place.at(name, "transform").fed(support)) for name in names]
        return Node(
            path=place.path,
            kind=self.tag(),
            spec=spec,
            c_in=place.channels,
            c_out=2 * slice_channels + (support if emit else 0),
            scale_in=place.scale,
            scale_out=place.scale,
            children=tuple(children),
        )

    def read_context(self, view: View) -> Reading | None:
        from codecspec.compiler.kinds import read_support_transform

        head, transform = read_transform(view.below("mean_cc")), view.below("mean_support_transform")
        if head is None:
            return None
        told = {"widths": head.widths}
        if not transform:
            return Reading(
                view.path, self.tag(), head.c_in, head.c_out, {**told, "transform": Told(None)}, first=view.first
            )
        parts = {"transform": read_support_transform(transform) or Unread.of(transform)}
        return Reading(view.path, self.tag(), head.c_in, head.c_out, told, parts, first=view.first)

    def build(self, node: Node) -> nn.Module:
        from codecspec.runtime.latent_codecs.mean_scale_head import MeanScaleContextHead

        modules = build_children(node.children)
        mean_cc, scale_cc = node.child("mean_cc"), node.child("scale_cc")
        emits = node.c_out > mean_cc.c_out + scale_cc.c_out
        return MeanScaleContextHead(
            **modules,
            side_split=node.c_in - mean_cc.c_in,
            emit_mean_support=node.spec.emit_mean_support if emits else False,
        )
