"""`dual`: two parallel hyper-syntheses over z_hat, means first, then scales."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codecspec.compiler.kind import Lowering, NodeKind, Place, build_children
from codecspec.compiler.kinds.sequence import lower_blocks
from codecspec.compiler.plan import Node
from codecspec.schema.latents import DualHyperSynthesisSpec

if TYPE_CHECKING:
    from torch import nn


class Dual(NodeKind[DualHyperSynthesisSpec]):
    """`h_mean_s` and `h_scale_s`."""

    spec_type = DualHyperSynthesisSpec

    def lower(self, spec: DualHyperSynthesisSpec, place: Place, lowering: Lowering) -> Node:
        mean = lower_blocks(spec.mean, place.at("h_mean_s", "mean"), lowering)
        scale = lower_blocks(spec.scale, place.at("h_scale_s", "scale"), lowering)
        if mean.c_out != scale.c_out:
            message = f"`mean` gives {mean.c_out} channels and `scale` {scale.c_out}; they must be equal"
            lowering.problem("E-channels", place.spec_path, message)
        if mean.scale_out != scale.scale_out:
            message = f"`mean` gives {mean.scale_out} of the image's side and `scale` {scale.scale_out}"
            lowering.problem("E-stride", place.spec_path, message)
        return Node(
            path=place.path,
            kind=self.tag(),
            spec=spec,
            c_in=place.channels,
            c_out=mean.c_out + scale.c_out,
            scale_in=place.scale,
            scale_out=mean.scale_out,
            children=(mean, scale),
        )

    def build(self, node: Node) -> nn.Module:
        from codecspec.runtime.latent_codecs.dual_hyper_synthesis import DualHyperSynthesis

        return DualHyperSynthesis(**build_children(node.children))
