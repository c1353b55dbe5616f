"""`naf_transform`: CCA's net over the support of a slice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from codecspec.compiler.kind import BlockKind, Flow, Proposal, conv_tensors
from codecspec.compiler.kinds.naf import naf_held, naf_macs, naf_tensors
from codecspec.compiler.plan import TensorPlan
from codecspec.compiler.reading import Told, View
from codecspec.schema.support_transforms import NAFTransformSpec

if TYPE_CHECKING:
    from torch import nn


class NAFTransform(BlockKind[NAFTransformSpec]):
    """input_projection, `blocks` and output_projection."""

    spec_type = NAFTransformSpec

    def tensors(self, spec: NAFTransformSpec, c_in: int) -> dict[str, TensorPlan]:
        tensors = conv_tensors(c_in, spec.width, 1, "input_projection")
        for i in range(spec.depth):
            tensors |= naf_tensors(f"blocks.{i}", spec.width)
        return tensors | conv_tensors(spec.width, c_in, 1, "output_projection")

    def flow(self, spec: NAFTransformSpec, c_in: int) -> Flow:
        macs = 2 * c_in * spec.width + spec.depth * naf_macs(spec.width)
        return Flow(c_in, macs=macs, held=c_in + spec.width + naf_held(spec.width))

    def read(self, view: View) -> Iterator[Proposal]:
        projection, depth = view.dims("input_projection.weight", 4), len(view.below("blocks").children)
        if projection and depth:
            width = view.told(projection[0], "input_projection.weight")
            yield projection[1], {"width": width, "depth": Told(depth, view.seen("blocks.0.norm1.weight"))}

    def module(self, spec: NAFTransformSpec, c_in: int) -> nn.Module:
        from codecspec.runtime.layers.naf import NAFTransform as NAFTransformModule

        return NAFTransformModule(c_in, width=spec.width, depth=spec.depth)
