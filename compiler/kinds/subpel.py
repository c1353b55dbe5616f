"""`subpel`: a convolution to factor^2 times the channels, then a pixel shuffle."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from codecspec.compiler.kind import BlockKind, Flow, conv_tensors
from codecspec.compiler.plan import TensorPlan
from codecspec.schema.blocks import SubpelSpec

if TYPE_CHECKING:
    from torch import nn


class Subpel(BlockKind[SubpelSpec]):
    """The convolution's tensors, under `0` (CompressAI's subpel_conv3x3)."""

    spec_type = SubpelSpec

    def tensors(self, spec: SubpelSpec, c_in: int) -> dict[str, TensorPlan]:
        return conv_tensors(c_in, spec.out * spec.factor**2, spec.kernel, "0")

    def flow(self, spec: SubpelSpec, c_in: int) -> Flow:
        macs = c_in * spec.out * spec.factor**2 * spec.kernel**2
        return Flow(spec.out, Fraction(spec.factor), macs)

    def module(self, spec: SubpelSpec, c_in: int) -> nn.Module:
        from torch import nn

        conv = nn.Conv2d(c_in, spec.out * spec.factor**2, spec.kernel, padding=spec.kernel // 2)
        return nn.Sequential(conv, nn.PixelShuffle(spec.factor))
