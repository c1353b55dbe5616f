"""`conv_trans`: half of the channels through a convolution block, half through a transformer block (TCM)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from codecspec.compiler.kind import BlockKind, Flow, Proposal, conv_tensors
from codecspec.compiler.plan import TensorPlan
from codecspec.compiler.reach import Reach
from codecspec.compiler.reading import View
from codecspec.compiler.transformer_tensors import (
    read_attention,
    transformer_held,
    transformer_macs,
    transformer_tensors,
)
from codecspec.schema.transformer_blocks import ConvTransSpec

if TYPE_CHECKING:
    from torch import nn


class ConvTrans(BlockKind[ConvTransSpec]):
    """conv1_1, conv1_2, conv_block (CompressAI's ResidualBlock) and trans_block."""

    spec_type = ConvTransSpec

    def tensors(self, spec: ConvTransSpec, c_in: int) -> dict[str, TensorPlan]:
        half = c_in // 2
        return {
            **transformer_tensors("trans_block", half, half // spec.head_dim, spec.window),
            **conv_tensors(c_in, c_in, 1, "conv1_1"),
            **conv_tensors(c_in, c_in, 1, "conv1_2"),
            **conv_tensors(half, half, 3, "conv_block.conv1"),
            **conv_tensors(half, half, 3, "conv_block.conv2"),
        }

    def flow(self, spec: ConvTransSpec, c_in: int) -> Flow:
        half = c_in // 2
        macs = 2 * c_in**2 + 2 * 9 * half**2 + transformer_macs(half, spec.window)
        # The transformer's input is a part of conv1_1's output, and beside it stands what conv_block gave.
        inside = transformer_held(half, half // spec.head_dim, spec.window, spec.shift) - half
        return Flow(c_in, macs=macs, held=2 * c_in + half + inside)

    def problem(self, spec: ConvTransSpec, c_in: int) -> tuple[str, str] | None:
        if c_in % (2 * spec.head_dim):
            return "head_dim", f"half of {c_in} channels does not divide into heads of {spec.head_dim}"
        if spec.shift >= spec.window:
            return "shift", f"the shift {spec.shift} is not less than the window {spec.window}"
        return None

    def reach(self, spec: ConvTransSpec, c_in: int) -> Reach:
        return Reach(2, 2, spec.window, spec.shift)

    def read(self, view: View) -> Iterator[Proposal]:
        attention = read_attention(view, "trans_block.attn")
        if attention:
            yield 2 * attention.channels, {"head_dim": attention.head_dim, "window": attention.window}

    def module(self, spec: ConvTransSpec, c_in: int) -> nn.Module:
        from codecspec.runtime.layers.conv_trans import ConvTransBlock

        return ConvTransBlock(c_in, head_dim=spec.head_dim, window=spec.window, shift=spec.shift)
