"""`lrp_gaussian`: a Gaussian leaf with latent residual prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codecspec.compiler.kind import ConditionalKind, Lowering, Place, build_node
from codecspec.compiler.kinds.entropy_transform import read_transform
from codecspec.compiler.kinds.gaussian import gaussian_tensors
from codecspec.compiler.plan import Node
from codecspec.compiler.reading import Reading, View
from codecspec.schema.entropy_transform import EntropyTransformSpec
from codecspec.schema.leaves import LRPGaussianSpec

if TYPE_CHECKING:
    from torch import nn


class LRPGaussian(ConditionalKind[LRPGaussianSpec]):
    """A Gaussian conditional, and `lrp_transform` over (mean support, y_hat)."""

    spec_type = LRPGaussianSpec
    reads_mean_support = True

    def lower_conditional(self, spec: LRPGaussianSpec, place: Place, params: int, lowering: Lowering) -> Node:
        mean_support = params - 2 * place.channels
        transform = EntropyTransformSpec(type="entropy_transform", widths=spec.widths, out=place.channels)
        lrp = lowering.lower(transform, place.at("lrp_transform").fed(mean_support + place.channels))
        return self.node(
            spec,
            place,
            tensors=gaussian_tensors(),
            children=(lrp,),
        )

    def read_conditional(self, view: View, channels: int | None, params: int | None) -> Reading | None:
        lrp = read_transform(view.below("lrp_transform"))
        if lrp is None or not view.below("gaussian_conditional"):
            return None
        return Reading(
            view.path, self.tag(), lrp.c_out, lrp.c_out, {"widths": lrp.widths}, params=params, first=view.first
        )

    def build(self, node: Node) -> nn.Module:
        from codecspec.runtime.latent_codecs.lrp_gaussian import LRPGaussianLatentCodec

        lrp = node.child("lrp_transform")
        return LRPGaussianLatentCodec(
            build_node(lrp),
            lrp_scale=node.spec.lrp_scale,
            mean_support_trail_channels=lrp.c_in - node.c_in,
            quantizer=node.spec.quantizer,
        )
