"""`channel_conv`: one net per slice over the earlier slices."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from codecspec.compiler.kind import ContextKind, Lowering, Place
from codecspec.compiler.kinds.entropy_transform import EntropyTransform, read_transform
from codecspec.compiler.plan import Node
from codecspec.compiler.reading import Reading, View
from codecspec.schema.channel_groups import ChannelConvContextSpec, ChannelGroupsSpec
from codecspec.schema.entropy_transform import EntropyTransformSpec

if TYPE_CHECKING:
    from torch import nn


class ChannelConv(ContextKind[ChannelConvContextSpec]):
    """Convolutions at 0, 2, 4, ..; ReLU between."""

    spec_type = ChannelConvContextSpec
    nets_per_head = 1

    def check(self, groups: ChannelGroupsSpec, place: Place, side: int, lowering: Lowering) -> None:
        from codecspec.compiler.kinds import conditional_kind_of

        for i, leaf in enumerate(groups.leaf):
            if conditional_kind_of(leaf).reads_mean_support:
                message = f"a {leaf.type} leaf reads the mean support, and a channel_conv context has none"
                lowering.problem("E-context", (*place.spec_path, "leaf", i, "type"), message, "context: mean_scale")

    def lower_context(
        self,
        spec: ChannelConvContextSpec,
        place: Place,
        slice_channels: int,
        side: int,
        emit: bool,
        lowering: Lowering,
    ) -> Node:
        return replace(lowering.lower(_net(spec, 2 * slice_channels), place), kind=self.tag(), spec=spec)

    def read_context(self, view: View) -> Reading | None:
        net = read_transform(view)
        if net is None:
            return None
        told = {"widths": net.widths, "kernel": net.kernel}
        return Reading(view.path, self.tag(), net.c_in, net.c_out // 2, told, first=view.first)

    def build(self, node: Node) -> nn.Module:
        return EntropyTransform().module(_net(node.spec, node.c_out), node.c_in)


def _net(spec: ChannelConvContextSpec, out: int) -> EntropyTransformSpec:
    return EntropyTransformSpec.model_construct(
        type="entropy_transform", widths=spec.widths, out=out, kernel=spec.kernel, activation="relu"
    )
