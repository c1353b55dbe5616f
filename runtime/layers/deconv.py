"""Transposed convolutions, and how those to a few channels are computed."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from codecspec.runtime.layers import winograd
from codecspec.runtime.layers.two_ways import TwoWays

FEW_CHANNELS = 4
"""Up to so many output channels the sub-pixel way is the faster one: 2.5 times for the 3 of an image, on 2 cores."""


class Deconv(TwoWays, nn.ConvTranspose2d):
    """A transposed convolution of an odd kernel: stride times as many positions.

    The fast way is that of `winograd` for large ones. For few output channels it is stride^2 times as many channels by
    a convolution, then a pixel shuffle. It multiplies by zeros where a phase has fewer taps, and is faster all the
    same, as a convolution to 3 channels fills no vector register.

    Args:
        in_channels: C.
        out_channels: channels of the output.
        kernel: side of the kernel, odd.
        stride: positions out per position in.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, *, stride: int) -> None:
        super().__init__(
            in_channels, out_channels, kernel, stride=stride, padding=kernel // 2, output_padding=stride - 1
        )

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(N, C, H, W) -> (N, out_channels, stride * H, stride * W)."""
        if output_size is None and self.goes_fast_on_cpu(x) and winograd.suits(self, x):
            return winograd.convolved(self, x)
        if not self.goes_fast() or self.out_channels > FEW_CHANNELS or output_size is not None or self.bias is None:
            return super().forward(x, output_size)
        factor = self.stride[0]
        weight = subpixel_weight(self.weight, factor)
        bias = self.bias.repeat_interleave(factor**2)
        if weight.shape[-1] == winograd.KERNEL and winograd.suits_sizes(len(weight), x):
            return F.pixel_shuffle(winograd.convolved_by(weight, bias, x), factor)
        return F.pixel_shuffle(F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2), factor)


def subpixel_weight(weight: Tensor, stride: int) -> Tensor:
    """(C, out, k, k) of a transposed convolution padded by k // 2 -> (out * stride^2, C, 2r+1, 2r+1) of the convolution
    whose pixel shuffle is the same.

    Position `stride * m + a` sees position m + e through tap k // 2 + a - stride * e, where there is one.
    """
    channels, out, kernel, _ = weight.shape
    reach = (kernel // 2 + stride - 1) // stride
    taps = [
        (phase, e + reach, tap)
        for phase in range(stride)
        for e in range(-reach, reach + 1)
        if 0 <= (tap := kernel // 2 + phase - stride * e) < kernel
    ]
    side = 2 * reach + 1
    made = weight.new_zeros(out, stride, stride, channels, side, side)
    for a, row, tap_row in taps:
        for b, column, tap_column in taps:
            made[:, a, b, :, row, column] = weight[:, :, tap_row, tap_column].T
    return made.reshape(out * stride**2, channels, side, side)
