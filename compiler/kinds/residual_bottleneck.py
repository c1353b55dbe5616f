"""`residual_bottleneck`: x + [1x1 to half the channels, ReLU, 3x3, ReLU, 1x1 back](x)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from codecspec.compiler.kind import BlockKind, Flow, Proposal, conv_tensors
from codecspec.compiler.plan import TensorPlan
from codecspec.compiler.reach import Reach
from codecspec.compiler.reading import View
from codecspec.schema.residual_blocks import ResidualBottleneckSpec

if TYPE_CHECKING:
    from torch import nn


class ResidualBottleneck(BlockKind[ResidualBottleneckSpec]):
    """conv1, conv2 and conv3; CompressAI's ResidualBottleneckBlock."""

    spec_type = ResidualBottleneckSpec

    def tensors(self, spec: ResidualBottleneckSpec, c_in: int) -> dict[str, TensorPlan]:
        half = c_in // 2
        return {
            **conv_tensors(c_in, half, 1, "conv1"),
            **conv_tensors(half, half, 3, "conv2"),
            **conv_tensors(half, c_in, 1, "conv3"),
        }

    def flow(self, spec: ResidualBottleneckSpec, c_in: int) -> Flow:
        half = c_in // 2
        return Flow(c_in, macs=2 * c_in * half + 9 * half**2, held=3 * c_in)

    def problem(self, spec: ResidualBottleneckSpec, c_in: int) -> tuple[str, str] | None:
        if c_in < 2:
            return "type", f"a residual_bottleneck needs at least 2 channels, and {c_in} comes in"
        return None

    def reach(self, spec: ResidualBottleneckSpec, c_in: int) -> Reach:
        return Reach.around(1)

    def read(self, view: View) -> Iterator[Proposal]:
        weight = view.dims("conv1.weight", 4)
        if weight:
            yield weight[1], {}

    def module(self, spec: ResidualBottleneckSpec, c_in: int) -> nn.Module:
        from codecspec.runtime.layers.residual_bottleneck import ResidualBottleneckBlock

        return ResidualBottleneckBlock(c_in)
