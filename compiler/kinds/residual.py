"""`residual`: x + [3x3, leaky ReLU, 3x3, leaky ReLU](x)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from codecspec.compiler.kind import BlockKind, Flow, Proposal, conv_tensors
from codecspec.compiler.plan import TensorPlan
from codecspec.compiler.reach import Reach
from codecspec.compiler.reading import View
from codecspec.schema.residual_blocks import ResidualSpec

if TYPE_CHECKING:
    from torch import nn


class Residual(BlockKind[ResidualSpec]):
    """conv1, conv2, and `skip` where the width changes; CompressAI's ResidualBlock."""

    spec_type = ResidualSpec

    def tensors(self, spec: ResidualSpec, c_in: int) -> dict[str, TensorPlan]:
        skip = conv_tensors(c_in, spec.out, 1, "skip") if c_in != spec.out else {}
        return conv_tensors(c_in, spec.out, 3, "conv1") | conv_tensors(spec.out, spec.out, 3, "conv2") | skip

    def flow(self, spec: ResidualSpec, c_in: int) -> Flow:
        skip = c_in * spec.out if c_in != spec.out else 0
        macs = 9 * c_in * spec.out + 9 * spec.out**2 + skip
        return Flow(spec.out, macs=macs, held=c_in + (3 if skip else 2) * spec.out)

    def reach(self, spec: ResidualSpec, c_in: int) -> Reach:
        return Reach.around(2)

    def read(self, view: View) -> Iterator[Proposal]:
        weight = view.dims("conv1.weight", 4)
        if weight:
            yield weight[1], {"out": view.told(weight[0], "conv1.weight")}

    def module(self, spec: ResidualSpec, c_in: int) -> nn.Module:
        from codecspec.runtime.layers.residual_block import ResidualBlock

        return ResidualBlock(c_in, spec.out)
