"""`attention`: x + conv_a(x) * sigmoid(conv_b(x)), both of residual units."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from codecspec.compiler.kind import BlockKind, Flow, Proposal, conv_tensors
from codecspec.compiler.plan import TensorPlan
from codecspec.compiler.reach import Reach
from codecspec.compiler.reading import View
from codecspec.compiler.transformer_tensors import residual_unit_macs, residual_unit_tensors
from codecspec.schema.residual_blocks import AttentionSpec

if TYPE_CHECKING:
    from torch import nn

NUM_UNITS = 3
"""Residual units in each branch."""


class Attention(BlockKind[AttentionSpec]):
    """conv_a.{0..2} and conv_b.{0..2} residual units, conv_b.3 a 1x1 convolution; CompressAI's AttentionBlock."""

    spec_type = AttentionSpec

    def tensors(self, spec: AttentionSpec, c_in: int) -> dict[str, TensorPlan]:
        tensors: dict[str, TensorPlan] = {}
        for branch in ("conv_a", "conv_b"):
            for i in range(NUM_UNITS):
                tensors |= residual_unit_tensors(f"{branch}.{i}", c_in)
        return tensors | conv_tensors(c_in, c_in, 1, f"conv_b.{NUM_UNITS}")

    def flow(self, spec: AttentionSpec, c_in: int) -> Flow:
        return Flow(c_in, macs=2 * NUM_UNITS * residual_unit_macs(c_in) + c_in**2, held=5 * c_in)

    def problem(self, spec: AttentionSpec, c_in: int) -> tuple[str, str] | None:
        if c_in < 2:
            return "type", f"an attention needs at least 2 channels, and {c_in} comes in"
        return None

    def reach(self, spec: AttentionSpec, c_in: int) -> Reach:
        return Reach.around(NUM_UNITS)

    def read(self, view: View) -> Iterator[Proposal]:
        weight = view.dims("conv_a.0.conv.0.weight", 4)
        if weight:
            yield weight[1], {}

    def module(self, spec: AttentionSpec, c_in: int) -> nn.Module:
        from compressai.layers import AttentionBlock

        module: nn.Module = AttentionBlock(c_in)
        return module
