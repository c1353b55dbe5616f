"""`residual_upsample`: a residual block with sub-pixel upsampling on both ways."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from codecspec.compiler.kind import BlockKind, Flow, Proposal, conv_tensors
from codecspec.compiler.kinds.gdn import gdn_tensors
from codecspec.compiler.plan import TensorPlan
from codecspec.compiler.reach import Reach
from codecspec.compiler.reading import View
from codecspec.schema.residual_blocks import ResidualUpsampleSpec

if TYPE_CHECKING:
    from torch import nn


class ResidualUpsample(BlockKind[ResidualUpsampleSpec]):
    """subpel_conv, conv, igdn and upsample; CompressAI's ResidualBlockUpsample."""

    spec_type = ResidualUpsampleSpec

    def tensors(self, spec: ResidualUpsampleSpec, c_in: int) -> dict[str, TensorPlan]:
        shuffled = spec.out * spec.factor**2
        return {
            **conv_tensors(c_in, shuffled, 3, "subpel_conv.0"),
            **conv_tensors(spec.out, spec.out, 3, "conv"),
            **gdn_tensors(spec.out, "igdn"),
            **conv_tensors(c_in, shuffled, 3, "upsample.0"),
        }

    def flow(self, spec: ResidualUpsampleSpec, c_in: int) -> Flow:
        macs = (2 * 9 * c_in * spec.out + 10 * spec.out**2) * spec.factor**2
        return Flow(spec.out, Fraction(spec.factor), macs, c_in + 3 * spec.out * spec.factor**2)

    def reach(self, spec: ResidualUpsampleSpec, c_in: int) -> Reach:
        return Reach.around(2)

    def read(self, view: View) -> Iterator[Proposal]:
        shuffled, conv = view.dims("subpel_conv.0.weight", 4), view.dims("conv.weight", 4)
        if shuffled and conv:
            factor = math.isqrt(shuffled[0] // conv[0])
            told = {"out": view.told(conv[0], "conv.weight"), "factor": view.told(factor, "subpel_conv.0.weight")}
            if factor:
                yield shuffled[1], told

    def module(self, spec: ResidualUpsampleSpec, c_in: int) -> nn.Module:
        import torch

        from codecspec.runtime.layers.gdn import GDN
        from codecspec.runtime.layers.residual_block import ResidualBlockUpsample

        with torch.device("cpu"):  # for its GDN; see the kind `gdn`
            module: nn.Module = ResidualBlockUpsample(c_in, spec.out, spec.factor)
            module.igdn = GDN(spec.out, inverse=True, in_place=True)
        return module
