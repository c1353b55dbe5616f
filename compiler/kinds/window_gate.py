"""`window_gate`: x + conv_a(x) * sigmoid(conv_b(x)), conv_b starting with windowed attention (WACNN)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from codecspec.compiler.kind import BlockKind, Flow, Proposal, conv_tensors
from codecspec.compiler.plan import TensorPlan
from codecspec.compiler.reach import Reach
from codecspec.compiler.reading import View
from codecspec.compiler.transformer_tensors import (
    attention_held,
    attention_macs,
    attention_tensors,
    read_attention,
    residual_unit_macs,
    residual_unit_tensors,
)
from codecspec.schema.blocks import WindowGateSpec

if TYPE_CHECKING:
    from torch import nn

NUM_UNITS = 3
"""Residual units in each branch."""


class WindowGate(BlockKind[WindowGateSpec]):
    """conv_a.{0..2} residual units; conv_b.0 attention, conv_b.{1..3} residual units, conv_b.4 a 1x1 convolution."""

    spec_type = WindowGateSpec

    def tensors(self, spec: WindowGateSpec, c_in: int) -> dict[str, TensorPlan]:
        tensors: dict[str, TensorPlan] = {}
        for i in range(NUM_UNITS):
            tensors |= residual_unit_tensors(f"conv_a.{i}", c_in)
        tensors |= attention_tensors("conv_b.0.attn", c_in, spec.heads, spec.window)
        for i in range(NUM_UNITS):
            tensors |= residual_unit_tensors(f"conv_b.{i + 1}", c_in)
        return tensors | conv_tensors(c_in, c_in, 1, f"conv_b.{NUM_UNITS + 1}")

    def flow(self, spec: WindowGateSpec, c_in: int) -> Flow:
        units = 2 * NUM_UNITS * residual_unit_macs(c_in)
        held = 2 * c_in + attention_held(c_in, spec.heads, spec.window, spec.shift)
        return Flow(c_in, macs=units + attention_macs(c_in, spec.window) + c_in**2, held=held)

    def problem(self, spec: WindowGateSpec, c_in: int) -> tuple[str, str] | None:
        if c_in % spec.heads:
            return "heads", f"the {c_in} channels that come in do not divide into {spec.heads} heads"
        if c_in % 2:
            return "type", f"a window_gate needs an even number of channels, and {c_in} come in"
        if spec.shift >= spec.window:
            return "shift", f"the shift {spec.shift} is not less than the window {spec.window}"
        return None

    def reach(self, spec: WindowGateSpec, c_in: int) -> Reach:
        return Reach(NUM_UNITS, NUM_UNITS, spec.window, spec.shift)

    def read(self, view: View) -> Iterator[Proposal]:
        attention = read_attention(view, "conv_b.0.attn")
        if attention:
            yield attention.channels, {"heads": attention.heads, "window": attention.window}

    def module(self, spec: WindowGateSpec, c_in: int) -> nn.Module:
        from codecspec.runtime.layers.window_gate import WindowGate as WindowGateModule

        return WindowGateModule(c_in, num_heads=spec.heads, window=spec.window, shift=spec.shift, num_units=NUM_UNITS)
