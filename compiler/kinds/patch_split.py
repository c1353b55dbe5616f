"""`patch_split`: one position to 2x2 of half the channels (STF)."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from codecspec.compiler.kind import BlockKind, Flow, Proposal
from codecspec.compiler.plan import TensorPlan
from codecspec.compiler.reach import POINTWISE, Reach
from codecspec.compiler.reading import View
from codecspec.compiler.transformer_tensors import norm_tensors
from codecspec.schema.transformer_blocks import PatchSplitSpec

if TYPE_CHECKING:
    from torch import nn


class PatchSplit(BlockKind[PatchSplitSpec]):
    """reduction, linear without bias, and norm."""

    spec_type = PatchSplitSpec

    def tensors(self, spec: PatchSplitSpec, c_in: int) -> dict[str, TensorPlan]:
        return {"reduction.weight": TensorPlan((2 * c_in, c_in)), **norm_tensors("norm", c_in)}

    def flow(self, spec: PatchSplitSpec, c_in: int) -> Flow:
        return Flow(c_in // 2, Fraction(2), 2 * c_in**2, 5 * c_in)

    def problem(self, spec: PatchSplitSpec, c_in: int) -> tuple[str, str] | None:
        return ("type", f"a patch_split halves its channels, and {c_in} come in") if c_in % 2 else None

    def reach(self, spec: PatchSplitSpec, c_in: int) -> Reach:
        return POINTWISE

    def read(self, view: View) -> Iterator[Proposal]:
        weight = view.dims("reduction.weight", 2)
        if weight:
            yield weight[1], {}

    def module(self, spec: PatchSplitSpec, c_in: int) -> nn.Module:
        from codecspec.runtime.layers.patches import PatchSplit as PatchSplitModule

        return PatchSplitModule(c_in)
