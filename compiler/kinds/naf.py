"""`naf`: a block without activations: gated convolution with channel attention, then a gated feed-forward net."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from codecspec.compiler.kind import BlockKind, Flow, Proposal, conv_tensors
from codecspec.compiler.plan import TensorPlan, join
from codecspec.compiler.reach import Reach
from codecspec.compiler.reading import View
from codecspec.compiler.transformer_tensors import norm_tensors
from codecspec.schema.naf_blocks import NAFSpec

if TYPE_CHECKING:
    from torch import nn


class NAF(BlockKind[NAFSpec]):
    """norm1, pointwise_depthwise, channel_attention, project, norm2, feed_forward, beta and gamma."""

    spec_type = NAFSpec

    def tensors(self, spec: NAFSpec, c_in: int) -> dict[str, TensorPlan]:
        return naf_tensors("", c_in)

    def flow(self, spec: NAFSpec, c_in: int) -> Flow:
        return Flow(c_in, macs=naf_macs(c_in), held=naf_held(c_in))

    def reach(self, spec: NAFSpec, c_in: int) -> Reach:
        return Reach(1, 1, pools=True)

    def read(self, view: View) -> Iterator[Proposal]:
        weight = view.dims("norm1.weight", 1)
        if weight:
            yield weight[0], {}

    def module(self, spec: NAFSpec, c_in: int) -> nn.Module:
        from codecspec.runtime.layers.naf import NAFBlock

        return NAFBlock(c_in)


def naf_tensors(prefix: str, channels: int) -> dict[str, TensorPlan]:
    """A `NAFBlock`."""
    wide = 2 * channels
    residual_scale = TensorPlan((1, channels, 1, 1))
    return {
        join(prefix, "beta"): residual_scale,
        join(prefix, "gamma"): residual_scale,
        **norm_tensors(join(prefix, "norm1"), channels),
        **conv_tensors(channels, wide, 1, join(prefix, "pointwise_depthwise.0")),
        **conv_tensors(1, wide, 3, join(prefix, "pointwise_depthwise.1")),
        **conv_tensors(channels, channels, 1, join(prefix, "channel_attention.1")),
        **conv_tensors(channels, channels, 1, join(prefix, "project")),
        **norm_tensors(join(prefix, "norm2"), channels),
        **conv_tensors(channels, wide, 1, join(prefix, "feed_forward.0")),
        **conv_tensors(channels, channels, 1, join(prefix, "feed_forward.2")),
    }


def naf_macs(channels: int) -> int:
    """Multiply-accumulates of a `NAFBlock` per position; channel attention works once per image and is left out."""
    return 6 * channels**2 + 2 * channels * 9


def naf_held(channels: int) -> int:
    """Numbers that a `NAFBlock` holds at once at most, per position."""
    return 7 * channels
