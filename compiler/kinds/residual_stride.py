"""`residual_stride`: a residual block that takes every stride-th position."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from codecspec.compiler.kind import BlockKind, Flow, Proposal, conv_tensors
from codecspec.compiler.kinds.gdn import gdn_tensors
from codecspec.compiler.plan import TensorPlan
from codecspec.compiler.reach import Reach
from codecspec.compiler.reading import Told, View
from codecspec.schema.residual_blocks import ResidualStrideSpec

if TYPE_CHECKING:
    from torch import nn


class ResidualStride(BlockKind[ResidualStrideSpec]):
    """conv1, conv2, gdn, and `skip` unless nothing changes; CompressAI's ResidualBlockWithStride."""

    spec_type = ResidualStrideSpec

    def tensors(self, spec: ResidualStrideSpec, c_in: int) -> dict[str, TensorPlan]:
        convs = conv_tensors(c_in, spec.out, 3, "conv1") | conv_tensors(spec.out, spec.out, 3, "conv2")
        skip = conv_tensors(c_in, spec.out, 1, "skip") if _skips(spec, c_in) else {}
        return convs | gdn_tensors(spec.out, "gdn") | skip

    def flow(self, spec: ResidualStrideSpec, c_in: int) -> Flow:
        skip = c_in * spec.out if _skips(spec, c_in) else 0
        macs = 9 * c_in * spec.out + 10 * spec.out**2 + skip
        held = c_in + Fraction(3 * spec.out, spec.stride**2)
        return Flow(spec.out, Fraction(1, spec.stride), Fraction(macs, spec.stride**2), held)

    def reach(self, spec: ResidualStrideSpec, c_in: int) -> Reach:
        return Reach(spec.stride + 1, 2)

    def read(self, view: View) -> Iterator[Proposal]:
        weight = view.dims("conv1.weight", 4)
        if weight:
            out, c_in, _, _ = weight
            told = {"out": view.told(out, "conv1.weight")}
            # Without a skip nothing changes; with one and the same width, the stride is not 1.
            yield c_in, told if view.below("skip") else {**told, "stride": Told(1, derived=True)}

    def module(self, spec: ResidualStrideSpec, c_in: int) -> nn.Module:
        import torch
        from compressai.layers import ResidualBlockWithStride

        from codecspec.runtime.layers.gdn import GDN

        with torch.device("cpu"):  # for its GDN; see the kind `gdn`
            module: nn.Module = ResidualBlockWithStride(c_in, spec.out, spec.stride)
            module.gdn = GDN(spec.out, in_place=True)
        return module


def _skips(spec: ResidualStrideSpec, c_in: int) -> bool:
    return spec.stride != 1 or c_in != spec.out
