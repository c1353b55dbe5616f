"""`window_gate`: x + conv_a(x) * sigmoid(conv_b(x)), conv_b starting with windowed attention (WACNN)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codecspec.compiler.kind import BlockKind, Flow, conv_tensors, linear_tensors
from codecspec.compiler.plan import TensorPlan
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
            tensors |= _unit_tensors(f"conv_a.{i}.conv", c_in)
        tensors["conv_b.0.attn.relative_position_bias_table"] = TensorPlan(((2 * spec.window - 1) ** 2, spec.heads))
        tensors |= linear_tensors(c_in, 3 * c_in, "conv_b.0.attn.qkv")
        tensors |= linear_tensors(c_in, c_in, "conv_b.0.attn.proj")
        for i in range(NUM_UNITS):
            tensors |= _unit_tensors(f"conv_b.{i + 1}.conv", c_in)
        return tensors | conv_tensors(c_in, c_in, 1, f"conv_b.{NUM_UNITS + 1}")

    def flow(self, spec: WindowGateSpec, c_in: int) -> Flow:
        half = c_in // 2
        unit = 2 * c_in * half + 9 * half * half
        attention = 4 * c_in * c_in + 2 * c_in * spec.window**2
        return Flow(c_in, macs=2 * NUM_UNITS * unit + attention + c_in * c_in)

    def problem(self, spec: WindowGateSpec, c_in: int) -> tuple[str, str] | None:
        if c_in % spec.heads:
            return "heads", f"the {c_in} channels that come in do not divide into {spec.heads} heads"
        if c_in % 2:
            return "type", f"a window_gate needs an even number of channels, and {c_in} come in"
        if spec.shift >= spec.window:
            return "shift", f"the shift {spec.shift} is not less than the window {spec.window}"
        return None

    def module(self, spec: WindowGateSpec, c_in: int) -> nn.Module:
        from codecspec.runtime.layers.window_gate import WindowGate as WindowGateModule

        return WindowGateModule(c_in, num_heads=spec.heads, window=spec.window, shift=spec.shift, num_units=NUM_UNITS)


def _unit_tensors(prefix: str, channels: int) -> dict[str, TensorPlan]:
    half = channels // 2
    return {
        **conv_tensors(channels, half, 1, f"{prefix}.0"),
        **conv_tensors(half, half, 3, f"{prefix}.2"),
        **conv_tensors(half, channels, 1, f"{prefix}.4"),
    }
