"""`subpel`: a convolution to factor^2 times the channels, then a pixel shuffle."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from codecspec.compiler.kind import BlockKind, Flow, Proposal, conv_tensors
from codecspec.compiler.plan import TensorPlan
from codecspec.compiler.reach import Reach
from codecspec.compiler.reading import Told, View
from codecspec.schema.blocks import SubpelSpec

if TYPE_CHECKING:
    from torch import nn


MAX_FACTOR = 16
"""The largest factor that a checkpoint is read with."""


class Subpel(BlockKind[SubpelSpec]):
    """The convolution's tensors, under `0` (CompressAI's subpel_conv3x3)."""

    spec_type = SubpelSpec

    def tensors(self, spec: SubpelSpec, c_in: int) -> dict[str, TensorPlan]:
        return conv_tensors(c_in, spec.out * spec.factor**2, spec.kernel, "0")

    def flow(self, spec: SubpelSpec, c_in: int) -> Flow:
        macs = c_in * spec.out * spec.factor**2 * spec.kernel**2
        return Flow(spec.out, Fraction(spec.factor), macs, c_in + 2 * spec.out * spec.factor**2)

    def reach(self, spec: SubpelSpec, c_in: int) -> Reach:
        return Reach.around(spec.kernel // 2)

    def read(self, view: View) -> Iterator[Proposal]:
        weight = view.dims("0.weight", 4)
        if not weight:
            return
        shuffled, c_in, kernel, _ = weight
        by = view.seen("0.weight")
        factors = [factor for factor in range(1, MAX_FACTOR + 1) if shuffled % factor**2 == 0]
        for factor in sorted(
            factors, key=lambda factor: (factor != 2, factor)
        ):  # which one is for the neighbours to say
            yield (
                c_in,
                {
                    "out": Told(shuffled // factor**2, by, derived=True),
                    "kernel": Told(kernel, by),
                    "factor": Told(factor, by, derived=True),
                },
            )

    def module(self, spec: SubpelSpec, c_in: int) -> nn.Module:
        from torch import nn

        conv = nn.Conv2d(c_in, spec.out * spec.factor**2, spec.kernel, padding=spec.kernel // 2)
        return nn.Sequential(conv, nn.PixelShuffle(spec.factor))
