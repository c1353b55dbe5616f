"""`swin`: Swin's transformer block, the block of STF."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from codecspec.compiler.kind import BlockKind, Flow, Proposal
from codecspec.compiler.plan import TensorPlan
from codecspec.compiler.reach import Reach
from codecspec.compiler.reading import View
from codecspec.compiler.transformer_tensors import (
    read_attention,
    transformer_held,
    transformer_macs,
    transformer_tensors,
)
from codecspec.schema.transformer_blocks import SwinSpec

if TYPE_CHECKING:
    from torch import nn


class Swin(BlockKind[SwinSpec]):
    """norm1, attn, norm2 and mlp."""

    spec_type = SwinSpec

    def tensors(self, spec: SwinSpec, c_in: int) -> dict[str, TensorPlan]:
        return transformer_tensors("", c_in, spec.heads, spec.window, spec.mlp_ratio)

    def flow(self, spec: SwinSpec, c_in: int) -> Flow:
        held = transformer_held(c_in, spec.heads, spec.window, spec.shift, spec.mlp_ratio)
        return Flow(c_in, macs=transformer_macs(c_in, spec.window, spec.mlp_ratio), held=held)

    def problem(self, spec: SwinSpec, c_in: int) -> tuple[str, str] | None:
        if c_in % spec.heads:
            return "heads", f"the {c_in} channels that come in do not divide into {spec.heads} heads"
        if spec.shift >= spec.window:
            return "shift", f"the shift {spec.shift} is not less than the window {spec.window}"
        return None

    def reach(self, spec: SwinSpec, c_in: int) -> Reach:
        return Reach(window=spec.window, shift=spec.shift)

    def read(self, view: View) -> Iterator[Proposal]:
        attention, hidden = read_attention(view, "attn"), view.dims("mlp.fc1.weight", 2)
        if attention and hidden:
            ratio = view.told(hidden[0] // hidden[1], "mlp.fc1.weight")
            yield attention.channels, {"heads": attention.heads, "window": attention.window, "mlp_ratio": ratio}

    def module(self, spec: SwinSpec, c_in: int) -> nn.Module:
        from codecspec.runtime.layers.transformer_block import TransformerBlock
        from codecspec.runtime.layers.window_attention import SWIN_MASKED

        return TransformerBlock(
            c_in,
            num_heads=spec.heads,
            window=spec.window,
            shift=spec.shift,
            masked=SWIN_MASKED,
            mlp_ratio=spec.mlp_ratio,
            drop_path=spec.drop_path.rate if spec.drop_path else 0.0,
        )
