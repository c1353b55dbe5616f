"""CompressAI's residual blocks, with convolutions, activations and sums in one go where they go fast."""

from __future__ import annotations

from typing import cast

from compressai.layers import ResidualBlock as PublishedBlock
from compressai.layers import ResidualBlockUpsample as PublishedUpsample
from torch import Tensor, nn

from codecspec.runtime.layers import winograd
from codecspec.runtime.layers.two_ways import FastOnCPU


class ResidualBlock(FastOnCPU, PublishedBlock):
    """conv(x) + x, conv = 3x3, leaky ReLU, 3x3, leaky ReLU; x by a 1x1 convolution where the width changes.

    Args:
        in_ch: channels in.
        out_ch: channels out.
    """

    conv1: nn.Conv2d
    conv2: nn.Conv2d
    leaky_relu: nn.LeakyReLU
    skip: nn.Conv2d | None

    def _fast(self, x: Tensor) -> Tensor:
        if not (winograd.suits(self.conv1, x) and winograd.suits(self.conv2, x)):
            out: Tensor = PublishedBlock.forward(self, x)
            return out
        slope = self.leaky_relu.negative_slope
        inner = winograd.convolved(self.conv1, x, slope=slope)
        return winograd.convolved(self.conv2, inner, slope=slope, added=x if self.skip is None else self.skip(x))


class ResidualBlockUpsample(FastOnCPU, PublishedUpsample):
    """igdn(conv(x)) + upsample(x), conv = 3x3 and pixel shuffle, leaky ReLU, 3x3; upsample = 3x3 and pixel shuffle.

    Args:
        in_ch: channels in.
        out_ch: channels out.
        upsample: positions out per position in, down and across.
    """

    conv: nn.Conv2d
    igdn: nn.Module
    leaky_relu: nn.LeakyReLU
    subpel_conv: nn.Sequential
    upsample: nn.Sequential

    def _fast(self, x: Tensor) -> Tensor:
        first, skip = cast(nn.Conv2d, self.subpel_conv[0]), cast(nn.Conv2d, self.upsample[0])
        by_two = self.subpel_conv[1].upscale_factor == winograd.STRIDE
        if not (by_two and all(winograd.suits(conv, x, groups=winograd.STRIDE**2) for conv in (first, skip))):
            out: Tensor = PublishedUpsample.forward(self, x)
            return out
        inner = winograd.convolved_and_shuffled(first, x, slope=self.leaky_relu.negative_slope)
        return winograd.convolved_and_shuffled(skip, x, added=self.igdn(self.conv(inner)))
