"""`conv`: a convolution padded by kernel // 2."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from codecspec.compiler.kind import BlockKind, Flow, Proposal, conv_tensors
from codecspec.compiler.plan import TensorPlan
from codecspec.compiler.reach import Reach
from codecspec.compiler.reading import View
from codecspec.schema.blocks import ConvSpec

if TYPE_CHECKING:
    from torch import nn


class Conv(BlockKind[ConvSpec]):
    """Weight (out, in, k, k) and bias (out)."""

    spec_type = ConvSpec

    def tensors(self, spec: ConvSpec, c_in: int) -> dict[str, TensorPlan]:
        return conv_tensors(c_in, spec.out, spec.kernel)

    def flow(self, spec: ConvSpec, c_in: int) -> Flow:
        macs = Fraction(c_in * spec.out * spec.kernel**2, spec.stride**2)
        return Flow(spec.out, Fraction(1, spec.stride), macs)

    def reach(self, spec: ConvSpec, c_in: int) -> Reach:
        half = spec.kernel // 2
        return Reach(half, max(0, half + 1 - spec.stride))

    def read(self, view: View) -> Iterator[Proposal]:
        weight = view.dims("weight", 4)
        if weight:
            out, c_in, kernel, _ = weight
            yield c_in, {"out": view.told(out, "weight"), "kernel": view.told(kernel, "weight")}

    def module(self, spec: ConvSpec, c_in: int) -> nn.Module:
        from torch import nn

        return nn.Conv2d(c_in, spec.out, spec.kernel, stride=spec.stride, padding=spec.kernel // 2)
