"""`sw_atten`: TCM's attention over the support of a slice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from codecspec.compiler.kind import BlockKind, Flow, Proposal, conv_tensors
from codecspec.compiler.plan import TensorPlan
from codecspec.compiler.reading import View
from codecspec.compiler.transformer_tensors import (
    read_attention,
    residual_unit_macs,
    residual_unit_tensors,
    transformer_held,
    transformer_macs,
    transformer_tensors,
)
from codecspec.schema.support_transforms import SWAttenSpec

if TYPE_CHECKING:
    from torch import nn

NUM_UNITS = 3
"""Residual units in each branch of CompressAI's AttentionBlock."""


class SWAtten(BlockKind[SWAttenSpec]):
    """input_projection, conv_a, conv_b, two transformer blocks and output_projection."""

    spec_type = SWAttenSpec

    def tensors(self, spec: SWAttenSpec, c_in: int) -> dict[str, TensorPlan]:
        width, heads = spec.width, spec.width // spec.head_dim
        tensors: dict[str, TensorPlan] = {}
        for branch in ("conv_a", "conv_b"):
            for i in range(NUM_UNITS):
                tensors |= residual_unit_tensors(f"{branch}.{i}", width)
        tensors |= conv_tensors(width, width, 1, f"conv_b.{NUM_UNITS}")
        tensors |= conv_tensors(c_in, width, 1, "input_projection")
        for i in range(2):
            tensors |= transformer_tensors(f"non_local_block.{i}", width, heads, spec.window)
        return tensors | conv_tensors(width, c_in, 1, "output_projection")

    def flow(self, spec: SWAttenSpec, c_in: int) -> Flow:
        width = spec.width
        gate = 2 * NUM_UNITS * residual_unit_macs(width) + width**2
        macs = 2 * c_in * width + gate + 2 * transformer_macs(width, spec.window)
        shifted = transformer_held(width, width // spec.head_dim, spec.window, spec.window // 2)
        return Flow(c_in, macs=macs, held=c_in + width + shifted)

    def problem(self, spec: SWAttenSpec, c_in: int) -> tuple[str, str] | None:
        if spec.width % spec.head_dim or spec.width % 2:
            return "width", f"{spec.width} channels do not divide into heads of {spec.head_dim} and two halves"
        return None

    def read(self, view: View) -> Iterator[Proposal]:
        projection, attention = view.dims("input_projection.weight", 4), read_attention(view, "non_local_block.0.attn")
        if projection and attention:
            width = view.told(projection[0], "input_projection.weight")
            yield projection[1], {"width": width, "head_dim": attention.head_dim, "window": attention.window}

    def module(self, spec: SWAttenSpec, c_in: int) -> nn.Module:
        from codecspec.runtime.layers.sw_atten import SWAtten as SWAttenModule

        return SWAttenModule(c_in, width=spec.width, head_dim=spec.head_dim, window=spec.window)
