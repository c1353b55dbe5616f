"""`mean_scale`: two nets per slice, one from the mean half of the side parameters, one from the scale half."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codecspec.compiler.kind import ContextKind, Lowering, Place, build_children
from codecspec.compiler.plan import Node
from codecspec.schema.channel_groups import MeanScaleContextSpec
from codecspec.schema.entropy_transform import EntropyTransformSpec

if TYPE_CHECKING:
    from torch import nn


class MeanScale(ContextKind[MeanScaleContextSpec]):
    """`mean_cc` and `scale_cc`, each over (its half of the side parameters, earlier slices), and before each a
    `mean_support_transform` and `scale_support_transform` of its own where the spec has one."""

    spec_type = MeanScaleContextSpec

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
