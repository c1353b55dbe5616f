"""`patch_embed`: patches of the image to vectors (Swin, STF)."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from codecspec.compiler.kind import BlockKind, Flow, Proposal, conv_tensors
from codecspec.compiler.plan import TensorPlan
from codecspec.compiler.reach import POINTWISE, Reach
from codecspec.compiler.reading import View
from codecspec.compiler.transformer_tensors import norm_tensors
from codecspec.schema.transformer_blocks import PatchEmbedSpec

if TYPE_CHECKING:
    from torch import nn


class PatchEmbed(BlockKind[PatchEmbedSpec]):
    """proj, a convolution of its own stride, and norm."""

    spec_type = PatchEmbedSpec

    def tensors(self, spec: PatchEmbedSpec, c_in: int) -> dict[str, TensorPlan]:
        return {**conv_tensors(c_in, spec.out, spec.patch, "proj"), **norm_tensors("norm", spec.out)}

    def flow(self, spec: PatchEmbedSpec, c_in: int) -> Flow:
        held = c_in + Fraction(2 * spec.out, spec.patch**2)
        return Flow(spec.out, Fraction(1, spec.patch), c_in * spec.out, held)

    def reach(self, spec: PatchEmbedSpec, c_in: int) -> Reach:
        return POINTWISE

    def read(self, view: View) -> Iterator[Proposal]:
        weight = view.dims("proj.weight", 4)
        if weight:
            out, c_in, patch, _ = weight
            yield c_in, {"out": view.told(out, "proj.weight"), "patch": view.told(patch, "proj.weight")}

    def module(self, spec: PatchEmbedSpec, c_in: int) -> nn.Module:
        from codecspec.runtime.layers.patches import PatchEmbed as PatchEmbedModule

        return PatchEmbedModule(c_in, spec.out, spec.patch)
