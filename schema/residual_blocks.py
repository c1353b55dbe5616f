"""Residual blocks of convolutions, as CompressAI has them: what a spec may say of each."""

from __future__ import annotations

from typing import Literal

from codecspec.schema.fields import Channels, Size, SpecModel


class ResidualSpec(SpecModel):
    """x + [3x3, leaky ReLU, 3x3, leaky ReLU](x), a 1x1 convolution on x where the width changes (Cheng, Sun, Takeuchi,
    Katto, CVPR 2020)."""

    type: Literal["residual"]
    out: Channels
    """Output channels. Recoverable: yes, from the weights' shapes."""


class ResidualStrideSpec(SpecModel):
    """A 1x1 convolution of x + [3x3, leaky ReLU, 3x3, GDN](x), the first of each with a stride (Cheng et al., CVPR
    2020)."""

    type: Literal["residual_stride"]
    out: Channels
    """Output channels. Recoverable: yes, from the weights' shapes."""
    stride: Size = 2
    """Stride: the downsampling factor. Recoverable: no."""


class ResidualUpsampleSpec(SpecModel):
    """Sub-pixel upsampling of x + [sub-pixel upsampling, leaky ReLU, 3x3, inverse GDN](x) (Cheng et al., CVPR 2020)."""

    type: Literal["residual_upsample"]
    out: Channels
    """Output channels. Recoverable: yes, from the weights' shapes."""
    factor: Size = 2
    """Upsampling factor. Recoverable: yes, from the weights' shapes."""


class ResidualBottleneckSpec(SpecModel):
    """x + [1x1 to half the channels, ReLU, 3x3, ReLU, 1x1 back](x) (He, Zhang, Ren, Sun, CVPR 2016)."""

    type: Literal["residual_bottleneck"]


class AttentionSpec(SpecModel):
    """x + conv_a(x) * sigmoid(conv_b(x)), both of residual units (Cheng et al., CVPR 2020)."""

    type: Literal["attention"]
