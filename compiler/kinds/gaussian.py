"""`gaussian`: a Gaussian leaf, for a slice or for all of y."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codecspec.compiler.kind import ConditionalKind, Lowering, Place
from codecspec.compiler.kinds.entropy_bottleneck import table_tensors
from codecspec.compiler.plan import Node, TensorPlan
from codecspec.compiler.reading import Reading, Told, View
from codecspec.schema.leaves import GaussianSpec

if TYPE_CHECKING:
    from torch import nn


class Gaussian(ConditionalKind[GaussianSpec]):
    """CompressAI's GaussianConditional, under `gaussian_conditional`."""

    spec_type = GaussianSpec

    def lower_conditional(self, spec: GaussianSpec, place: Place, params: int, lowering: Lowering) -> Node:
        needed = len(spec.chunks) * place.channels
        if params != needed:
            message = f"{' and '.join(spec.chunks)} of {place.channels} channels are {needed}, and {params} come in"
            lowering.problem("E-channels", place.spec_path, message)
        return self.node(
            spec,
            place,
            tensors=gaussian_tensors(),
        )

    def read_conditional(self, view: View, channels: int | None, params: int | None) -> Reading | None:
        # Without a mean, there are as many parameters as channels; with one, nothing tells the order.
        if not view.holds(gaussian_tensors()):
            return None
        told = {"chunks": Told(("scales",), derived=True)} if channels is not None and params == channels else {}
        return Reading(view.path, self.tag(), channels, channels, told, params=params, first=view.first)

    def build(self, node: Node) -> nn.Module:
        from codecspec.runtime.latent_codecs.gaussian import GaussianLatentCodec

        return GaussianLatentCodec(quantizer=node.spec.quantizer, chunks=node.spec.chunks)


def gaussian_tensors() -> dict[str, TensorPlan]:
    """The state of a leaf's Gaussian conditional: tables and constants, nothing learned."""
    tensors = {
        **table_tensors(),
        "scale_table": TensorPlan((0,), "table"),
        "scale_bound": TensorPlan((1,), "buffer"),
        "likelihood_lower_bound.bound": TensorPlan((1,), "buffer"),
        "lower_bound_scale.bound": TensorPlan((1,), "buffer"),
    }
    return {f"gaussian_conditional.{name}": tensor for name, tensor in tensors.items()}
