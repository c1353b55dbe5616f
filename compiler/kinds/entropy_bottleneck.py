"""`entropy_bottleneck`: the learned, factorized density of a latent that is coded by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codecspec.compiler.kind import LatentKind, Lowering, Place
from codecspec.compiler.plan import Node, TensorPlan, join
from codecspec.compiler.reading import Reading, View
from codecspec.schema.latents import EntropyBottleneckSpec

if TYPE_CHECKING:
    from torch import nn

FILTERS = (1, 3, 3, 3, 3, 1)
"""Widths of the density's layers, CompressAI's default."""


class EntropyBottleneck(LatentKind[EntropyBottleneckSpec]):
    """CompressAI's EntropyBottleneck, under `entropy_bottleneck`."""

    spec_type = EntropyBottleneckSpec

    def lower(self, spec: EntropyBottleneckSpec, place: Place, lowering: Lowering) -> Node:
        return self.node(
            spec,
            place,
            tensors=bottleneck_tensors(place.channels, "entropy_bottleneck"),
        )

    def read_latent(self, view: View, channels: int | None) -> Reading | None:
        quantiles = view.dims("entropy_bottleneck.quantiles", 3)
        if not quantiles or not view.holds(bottleneck_tensors(quantiles[0], "entropy_bottleneck")):
            return None
        return Reading(view.path, self.tag(), quantiles[0], quantiles[0], first=view.first)

    def build(self, node: Node) -> nn.Module:
        from codecspec.runtime.latent_codecs.entropy_bottleneck import EntropyBottleneckLatentCodec

        return EntropyBottleneckLatentCodec(node.c_in, latent=node.name, quantizer=node.spec.quantizer)


def bottleneck_tensors(channels: int, prefix: str) -> dict[str, TensorPlan]:
    """The state of CompressAI's EntropyBottleneck."""
    layers = range(len(FILTERS) - 1)
    tensors = {
        "quantiles": TensorPlan((channels, 1, 3)),
        **table_tensors(),
        "target": TensorPlan((3,), "buffer"),
        "likelihood_lower_bound.bound": TensorPlan((1,), "buffer"),
        **{f"matrices.{i}": TensorPlan((channels, FILTERS[i + 1], FILTERS[i])) for i in layers},
        **{f"biases.{i}": TensorPlan((channels, FILTERS[i + 1], 1)) for i in layers},
        **{f"factors.{i}": TensorPlan((channels, FILTERS[i + 1], 1)) for i in layers[:-1]},
    }
    return {join(prefix, name): tensor for name, tensor in tensors.items()}


def table_tensors() -> dict[str, TensorPlan]:
    """The coding tables of an entropy model, empty until they are made."""
    return {name: TensorPlan((0,), "table", "int32") for name in ("_offset", "_quantized_cdf", "_cdf_length")}
