"""`checkerboard`: a Gaussian leaf in two passes over a checkerboard."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from codecspec.compiler.kind import ConditionalKind, Lowering, Place, build_node, conv_tensors
from codecspec.compiler.kinds.gaussian import gaussian_tensors
from codecspec.compiler.plan import Node, TensorPlan, join
from codecspec.schema.entropy_transform import EntropyTransformSpec
from codecspec.schema.leaves import CheckerboardSpec, RampSpec

if TYPE_CHECKING:
    from torch import nn


class Checkerboard(ConditionalKind[CheckerboardSpec]):
    """`context_prediction`, a masked convolution; `entropy_parameters`, 1x1 convolutions; `y`, a Gaussian leaf. Its
    node's spec has the widths that a ramp comes to."""

    spec_type = CheckerboardSpec

    def lower_conditional(self, spec: CheckerboardSpec, place: Place, params: int, lowering: Lowering) -> Node:
        channels = place.channels
        seen, given = 2 * channels + params, 2 * channels
        hidden = spec.parameters.widths(seen, given) if isinstance(spec.parameters, RampSpec) else spec.parameters
        net = EntropyTransformSpec.model_construct(
            type="entropy_transform", widths=hidden, out=given, kernel=1, activation="relu"
        )
        parameters = lowering.lower(net, place.at("entropy_parameters").fed(seen))
        return Node(
            path=place.path,
            kind=self.tag(),
            spec=spec.model_copy(update={"parameters": hidden}),
            c_in=channels,
            c_out=channels,
            scale_in=place.scale,
            scale_out=place.scale,
            tensors=_tensors(channels, spec.kernel),
            macs=channels * given * spec.kernel**2 * place.scale**2,
            children=(replace(parameters, macs=2 * parameters.macs),),  # it runs in both passes
        )

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


def _tensors(channels: int, kernel: int) -> dict[str, TensorPlan]:
    convolution = {
        **conv_tensors(channels, 2 * channels, kernel),
        "mask": TensorPlan((2 * channels, channels, kernel, kernel), "buffer"),
    }
    return {join("context_prediction", name): tensor for name, tensor in convolution.items()} | {
        join("y", name): tensor for name, tensor in gaussian_tensors().items()
    }
