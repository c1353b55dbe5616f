"""`deconv`: a transposed convolution padded by kernel // 2, output padding stride - 1."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from codecspec.compiler.kind import BlockKind, Flow, Proposal
from codecspec.compiler.plan import TensorPlan
from codecspec.compiler.reach import Reach
from codecspec.compiler.reading import View
from codecspec.schema.blocks import DeconvSpec

if TYPE_CHECKING:
    from torch import nn


class Deconv(BlockKind[DeconvSpec]):
    """Weight (in, out, k, k) and bias (out)."""

    spec_type = DeconvSpec

    def tensors(self, spec: DeconvSpec, c_in: int) -> dict[str, TensorPlan]:
        return {
            "weight": TensorPlan((c_in, spec.out, spec.kernel, spec.kernel)),
            "bias": TensorPlan((spec.out,)),
        }

    def flow(self, spec: DeconvSpec, c_in: int) -> Flow:
        return Flow(spec.out, Fraction(spec.stride), c_in * spec.out * spec.kernel**2)

    def reach(self, spec: DeconvSpec, c_in: int) -> Reach:
        return Reach.around((spec.kernel // 2 + spec.stride - 1) // spec.stride)

    def read(self, view: View) -> Iterator[Proposal]:
        weight = view.dims("weight", 4)
        if weight:
            c_in, out, kernel, _ = weight
            yield c_in, {"out": view.told(out, "weight"), "kernel": view.told(kernel, "weight")}

    def module(self, spec: DeconvSpec, c_in: int) -> nn.Module:
        from codecspec.runtime.layers.deconv import Deconv as DeconvLayer

        return DeconvLayer(c_in, spec.out, spec.kernel, stride=spec.stride)
