"""`raster_scan`: a Gaussian leaf position by position."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codecspec.compiler.kind import ConditionalKind, Lowering, Place, build_node
from codecspec.compiler.kinds.gaussian import gaussian_tensors
from codecspec.compiler.plan import Node
from codecspec.compiler.reading import Reading, View
from codecspec.compiler.spatial_context import masked_conv_tensors, parameters_net, read_spatial_context
from codecspec.schema.leaves import RasterScanSpec

if TYPE_CHECKING:
    from torch import nn


class RasterScan(ConditionalKind[RasterScanSpec]):
    """`context_prediction`, a masked convolution; `entropy_parameters`, 1x1 convolutions; a Gaussian conditional. Its
    node's spec has the widths that a ramp comes to."""

    spec_type = RasterScanSpec

    def lower_conditional(self, spec: RasterScanSpec, place: Place, params: int, lowering: Lowering) -> Node:
        channels = place.channels
        seen, given = 2 * channels + params, 2 * channels
        net = parameters_net(spec.parameters, seen, given, "leaky_relu")
        return self.node(
            spec.model_copy(update={"parameters": net.widths}),
            place,
            tensors={**masked_conv_tensors(channels, spec.kernel), **gaussian_tensors()},
            macs=channels * given * spec.kernel**2 * place.scale**2,
            children=(lowering.lower(net, place.at("entropy_parameters").fed(seen)),),
        )

    def read_conditional(self, view: View, channels: int | None, params: int | None) -> Reading | None:
        return read_spatial_context(view, self.tag()) if view.below("gaussian_conditional") else None

    def build(self, node: Node) -> nn.Module:
        from compressai.layers import MaskedConv2d

        from codecspec.runtime.latent_codecs.raster_scan import RasterScanLatentCodec

        spec = node.spec
        return RasterScanLatentCodec(
            context_prediction=MaskedConv2d(node.c_in, 2 * node.c_in, spec.kernel, padding=spec.kernel // 2),
            entropy_parameters=build_node(node.child("entropy_parameters")),
            chunks=spec.chunks,
        )
