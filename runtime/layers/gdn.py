"""Generalized divisive normalization (Balle, Laparra, Simoncelli, ICLR 2016), in one pass or by bands of rows where
it goes fast."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from compressai.layers import GDN as Published
from torch import Tensor, nn

from codecspec.runtime.layers.bands import bands
from codecspec.runtime.layers.pointwise import normalized
from codecspec.runtime.layers.two_ways import FastOnCPU
from codecspec.runtime.machine_code import kernels_take


class GDN(FastOnCPU, Published):
    """x / sqrt(beta + gamma x^2) over the channels of every position, or its inverse, x * sqrt(..); CompressAI's.

    Args:
        channels: C.
        inverse: multiply.
        in_place: the fast way may overwrite its input, which nobody else has.
    """

    beta_reparam: nn.Module
    gamma_reparam: nn.Module

    def __init__(self, channels: int, *, inverse: bool = False, in_place: bool = False) -> None:
        super().__init__(channels, inverse=inverse)
        self.in_place = in_place

    def _fast(self, x: Tensor) -> Tensor:
        n, channels, height, width = x.shape
        beta, gamma = self.beta_reparam(self.beta), self.gamma_reparam(self.gamma)
        if channels % 16 == 0 and kernels_take(x, gamma):
            return normalized(x, gamma, beta, inverse=bool(self.inverse), in_place=self.in_place)
        gamma = gamma.view(channels, channels, 1, 1)
        out = x if self.in_place else torch.empty_like(x)
        for first, last in bands(height, n * channels * width):
            rows = x[:, :, first:last]
            norm = F.conv2d(rows.square(), gamma, beta)
            norm = norm.sqrt_() if self.inverse else norm.rsqrt_()
            torch.mul(rows, norm, out=out[:, :, first:last])
        return out
