"""`checkerboard`: a Gaussian leaf in two passes over a checkerboard."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from codecspec.compiler.kind import ConditionalKind, Lowering, Place, build_node
from codecspec.compiler.kinds.gaussian import gaussian_tensors
from codecspec.compiler.plan import Node, join
from codecspec.compiler.reading import Reading, View
from codecspec.compiler.spatial_context import masked_conv_tensors, parameters_net, read_spatial_context
from codecspec.schema.leaves import CheckerboardSpec

if TYPE_CHECKING:
    from torch import nn


class Checkerboard(ConditionalKind[CheckerboardSpec]):
    """`context_prediction`, a masked convolution; `entropy_parameters`, 1x1 convolutions; `y`, a Gaussian leaf. Its
    node's spec has the widths that a ramp comes to."""

    spec_type = CheckerboardSpec

    def lower_conditional(self, spec: CheckerboardSpec, place: Place, params: int, lowering: Lowering) -> Node:
        channels = place.channels
        seen, given = 2 * channels + params, 2 * channels
        net = parameters_net(spec.parameters, seen, given, "relu")
        parameters = lowering.lower(net, place.at("entropy_parameters").fed(seen))
        return self.node(
            spec.model_copy(update={"parameters": net.widths}),
            place,
            tensors={
                **masked_conv_tensors(channels, spec.kernel),
                **{join("y", name): tensor for name, tensor in gaussian_tensors().items()},
            },
            macs=channels * given * spec.kernel**2 * place.scale**2,
            children=(replace(parameters, macs=2 * parameters.macs),),  # it runs in both passes
        )

    def read_conditional(self, view: View, channels: int | None, params: int | None) -> Reading | None:
        return read_spatial_context(view, self.tag()) if view.below("y.gaussian_conditional") else None

    def build(self, node: Node) -> nn.Module:
        from compressai.layers import CheckerboardMaskedConv2d

        from codecspec.runtime.latent_codecs.checkerboard import CheckerboardLatentCodec
        from codecspec.runtime.latent_codecs.gaussian import GaussianLatentCodec

        spec = node.spec
        context = CheckerboardMaskedConv2d(node.c_in, 2 * node.c_in, spec.kernel, padding=spec.kernel // 2)
        return CheckerboardLatentCodec(
            context_prediction=context,
            entropy_parameters=build_node(node.child("entropy_parameters")),
            y=GaussianLatentCodec(quantizer=spec.quantizer, chunks=spec.chunks),
            parity=spec.parity,
        )
