"""`patch_merge`: 2x2 positions to one of twice the channels (Swin, STF)."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from codecspec.compiler.kind import BlockKind, Flow, Proposal
from codecspec.compiler.plan import TensorPlan
from codecspec.compiler.reach import POINTWISE, Reach
from codecspec.compiler.reading import View
from codecspec.compiler.transformer_tensors import norm_tensors
from codecspec.schema.transformer_blocks import PatchMergeSpec

if TYPE_CHECKING:
    from torch import nn


class PatchMerge(BlockKind[PatchMergeSpec]):
    """reduction, linear without bias, and norm."""

    spec_type = PatchMergeSpec

    def tensors(self, spec: PatchMergeSpec, c_in: int) -> dict[str, TensorPlan]:
        return {"reduction.weight": TensorPlan((2 * c_in, 4 * c_in)), **norm_tensors("norm", 4 * c_in)}

    def flow(self, spec: PatchMergeSpec, c_in: int) -> Flow:
        return Flow(2 * c_in, Fraction(1, 2), 2 * c_in**2, 3 * c_in)

    def reach(self, spec: PatchMergeSpec, c_in: int) -> Reach:
        return POINTWISE

    def read(self, view: View) -> Iterator[Proposal]:
        weight = view.dims("reduction.weight", 2)
        if weight and weight[1] == 2 * weight[0]:
            yield weight[1] // 4, {}

    def module(self, spec: PatchMergeSpec, c_in: int) -> nn.Module:
        from codecspec.runtime.layers.patches import PatchMerge as PatchMergeModule

        return PatchMergeModule(c_in)
