"""`cca`: the auxiliary branch of causal context adjustment, on any host whose y is in channel groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codecspec.compiler.kind import ConditionalKind, Lowering, Place, build_node
from codecspec.compiler.kinds.entropy_bottleneck import bottleneck_tensors
from codecspec.compiler.plan import Node
from codecspec.compiler.reading import Reading, View
from codecspec.schema.auxiliary import CCABranchSpec

if TYPE_CHECKING:
    from torch import nn


class CCA(ConditionalKind[CCABranchSpec]):
    """`y_entropy_bottleneck`, a density of y by itself, and `inner_codec`, channel groups of y."""

    spec_type = CCABranchSpec

    def lower_conditional(self, spec: CCABranchSpec, place: Place, params: int, lowering: Lowering) -> Node:
        inner = lowering.lower_conditional(spec.inner, place.at("inner_codec"), params)
        tensors = bottleneck_tensors(place.channels, "y_entropy_bottleneck")
        return self.node(
            spec,
            place,
            tensors=tensors,
            children=(inner,),
        )

    def read_conditional(self, view: View, channels: int | None, params: int | None) -> Reading | None:
        from codecspec.compiler.kinds.channel_groups import ChannelGroups

        inner = ChannelGroups().read_conditional(view.below("inner_codec"), channels, params)
        if inner is None or not view.below("y_entropy_bottleneck"):
            return None
        return Reading(
            view.path, self.tag(), channels, channels, parts={"inner": inner}, params=params, first=view.first
        )

    def build(self, node: Node) -> nn.Module:
        from codecspec.runtime.latent_codecs.causal_context_adjustment import CCAEntropyModel

        return CCAEntropyModel(node.c_in, build_node(node.child("inner_codec")))
