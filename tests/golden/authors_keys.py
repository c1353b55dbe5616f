"""The authors' checkpoints, key by key, at any configuration: written down from descriptions of their networks and not
from this project's specs, kinds or layouts, so that the two can be compared.

`test_other_configurations` holds them to the goldens at the published sizes first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Self

Shapes = dict[str, list[int]]


class Checkpoint:
    """Keys and shapes, written below a prefix."""

    def __init__(self, shapes: Shapes | None = None, prefix: str = "") -> None:
        self.shapes: Shapes = {} if shapes is None else shapes
        self.prefix = prefix

    def at(self, *names: str | int) -> Self:
        """The same checkpoint, further down."""
        return type(self)(self.shapes, "".join([self.prefix, *(f"{name}." for name in names)]))

    def put(self, **shapes: Sequence[int]) -> None:
        """Single tensors."""
        self.shapes.update({self.prefix + name: list(shape) for name, shape in shapes.items()})

    def affine(self, weight: Sequence[int], bias: int) -> None:
        self.put(weight=weight, bias=[bias])

    def conv(self, c_in: int, c_out: int, kernel: int = 3) -> None:
        self.affine([c_out, c_in, kernel, kernel], c_out)

    def deconv(self, c_in: int, c_out: int, kernel: int = 5) -> None:
        self.affine([c_in, c_out, kernel, kernel], c_out)

    def linear(self, c_in: int, c_out: int) -> None:
        self.affine([c_out, c_in], c_out)

    def norm(self, channels: int) -> None:
        self.affine([channels], channels)

    def gdn(self, channels: int) -> None:
        self.put(beta=[channels], gamma=[channels, channels])
        for name in ("beta_reparam", "gamma_reparam"):
            self.at(name).put(pedestal=[1])
            self.at(name, "lower_bound").put(bound=[1])

    def bottleneck(self, channels: int) -> None:
        """CompressAI's, its tables empty."""
        self.put(quantiles=[channels, 1, 3], target=[3], _offset=[0], _quantized_cdf=[0], _cdf_length=[0])
        self.at("likelihood_lower_bound").put(bound=[1])
        for i, (before, after) in enumerate(pairwise((1, 3, 3, 3, 3, 1))):
            self.at("matrices").put(**{str(i): [channels, after, before]})
            self.at("biases").put(**{str(i): [channels, after, 1]})
            if i < 4:
                self.at("factors").put(**{str(i): [channels, after, 1]})

    def gaussian(self) -> None:
        """CompressAI's conditional, its tables empty."""
        self.put(_offset=[0], _quantized_cdf=[0], _cdf_length=[0], scale_table=[0], scale_bound=[1])
        self.at("likelihood_lower_bound").put(bound=[1])
        self.at("lower_bound_scale").put(bound=[1])

    def net(self, c_in: int, widths: Sequence[int], c_out: int) -> None:
        """3x3 convolutions, an activation between."""
        for i, (before, after) in enumerate(pairwise((c_in, *widths, c_out))):
            self.at(2 * i).conv(before, after)

    def slices(self, names: tuple[str, str], latent: int, groups: Sequence[int], clamp: int, widths: Sequence[int],
               lrps: int | None = None, skip: int = 0) -> list[int]:  # fmt: skip
        """The nets of all slices; gives how many channels the heads of each see."""
        seen = [latent + sum(groups[: min(max(k - skip, 0), clamp)]) for k in range(len(groups))]
        for k, (support, width) in enumerate(zip(seen, groups, strict=True)):
            for name in names:
                self.at(name, k).net(support, widths, width)
            if lrps is None or k < lrps:
                self.at("lrp_transforms", k).net(support + width, widths, width)
        return seen

    # Zou, Song, Zhang, CVPR 2022

    def window_attention(self, channels: int, window: int, heads: int) -> None:
        """Swin's."""
        self.put(relative_position_bias_table=[(2 * window - 1) ** 2, heads])
        self.put(relative_position_index=[window**2, window**2])
        self.at("qkv").linear(channels, 3 * channels)
        self.at("proj").linear(channels, channels)

    def swin_stage(self, channels: int, depth: int, heads: int, window: int, mlp_ratio: int) -> None:
        for j in range(depth):
            block = self.at("blocks", j)
            block.at("norm1").norm(channels)
            block.at("attn").window_attention(channels, window, heads)
            block.at("norm2").norm(channels)
            block.at("mlp", "fc1").linear(channels, mlp_ratio * channels)
            block.at("mlp", "fc2").linear(mlp_ratio * channels, channels)

    def resampling(self, channels_in: int, channels_out: int) -> None:
        self.at("norm").norm(channels_in)
        self.at("reduction").put(weight=[channels_out, channels_in])

    # Liu, Sun, Katto, CVPR 2023

    def transformer(self, channels: int, window: int, head_dim: int) -> None:
        side = 2 * window - 1
        self.at("ln1").norm(channels)
        self.at("msa").put(relative_position_params=[channels // head_dim, side, side])
        self.at("msa", "embedding_layer").linear(channels, 3 * channels)
        self.at("msa", "linear").linear(channels, channels)
        self.at("ln2").norm(channels)
        self.at("mlp", 0).linear(channels, 4 * channels)
        self.at("mlp", 2).linear(4 * channels, channels)

    def conv_trans(self, half: int, window: int, head_dim: int) -> None:
        self.at("trans_block").transformer(half, window, head_dim)
        self.at("conv1_1").conv(2 * half, 2 * half, 1)
        self.at("conv1_2").conv(2 * half, 2 * half, 1)
        self.at("conv_block", "conv1").conv(half, half)
        self.at("conv_block", "conv2").conv(half, half)

    def residual_stride(self, c_in: int, c_out: int) -> None:
        self.at("conv1").conv(c_in, c_out)
        self.at("conv2").conv(c_out, c_out)
        self.at("gdn").gdn(c_out)
        self.at("skip").conv(c_in, c_out, 1)

    def residual_upsample(self, c_in: int, c_out: int) -> None:
        self.at("subpel_conv", 0).conv(c_in, 4 * c_out)
        self.at("conv").conv(c_out, c_out)
        self.at("igdn").gdn(c_out)
        self.at("upsample", 0).conv(c_in, 4 * c_out)

    def attention_units(self, channels: int, first: int, count: int) -> None:
        """The residual units of CompressAI's AttentionBlock."""
        for i in range(first, first + count):
            unit = self.at(i, "conv")
            unit.at(0).conv(channels, channels // 2, 1)
            unit.at(2).conv(channels // 2, channels // 2)
            unit.at(4).conv(channels // 2, channels, 1)

    def sw_atten(self, channels: int) -> None:
        self.at("in_conv").conv(channels, 128, 1)
        self.at("out_conv").conv(128, channels, 1)
        self.at("conv_a").attention_units(128, 0, 3)
        self.at("conv_b").attention_units(128, 0, 3)
        self.at("conv_b", 3).conv(128, 128, 1)
        for block in ("block_1", "block_2"):
            self.at("non_local_block", block).transformer(128, 8, 16)

    # Han et al., NeurIPS 2024

    def bottleneck_block(self, channels: int) -> None:
        """CompressAI's ResidualBottleneckBlock."""
        self.at("conv1").conv(channels, channels // 2, 1)
        self.at("conv2").conv(channels // 2, channels // 2)
        self.at("conv3").conv(channels // 2, channels, 1)

    def naf(self, channels: int) -> None:
        self.put(beta=[1, channels, 1, 1], gamma=[1, channels, 1, 1])
        self.at("dwconv", 0).conv(channels, 2 * channels, 1)
        self.at("dwconv", 1).conv(1, 2 * channels)
        self.at("sca", 1).conv(channels, channels, 1)
        self.at("conv1").conv(channels, channels, 1)
        self.at("FFN", 0).conv(channels, 2 * channels, 1)
        self.at("FFN", 2).conv(channels, channels, 1)
        self.at("norm1").norm(channels)
        self.at("norm2").norm(channels)

    def naf_transform(self, channels: int, width: int, depth: int) -> None:
        self.at("in_conv").conv(channels, width, 1)
        self.at("out_conv").conv(width, channels, 1)
        for i in range(depth):
            self.at("blocks", i).naf(width)


def wacnn() -> Shapes:
    """Of one size only."""
    net = Checkpoint()
    n, m = 192, 320
    for place, channels, window in (("g_a.4", n, 8), ("g_a.8", m, 4), ("g_s.0", m, 4), ("g_s.5", n, 8)):
        gate = net.at(place)
        gate.at("conv_a").attention_units(channels, 0, 3)
        gate.at("conv_b", 0, "attn").window_attention(channels, window, 8)
        gate.at("conv_b").attention_units(channels, 1, 3)
        gate.at("conv_b", 4).conv(channels, channels, 1)
    for i, c_in, c_out in ((0, 3, n), (2, n, n), (5, n, n), (7, n, m)):
        net.at("g_a", i).conv(c_in, c_out, 5)
    for i, c_in, c_out in ((1, m, n), (3, n, n), (6, n, n), (8, n, 3)):
        net.at("g_s", i).deconv(c_in, c_out)
    for place in ("g_a.1", "g_a.3", "g_a.6", "g_s.2", "g_s.4", "g_s.7"):
        net.at(place).gdn(n)
    net.at("h_a").net(m, [320, 288, 256, 224], 192)
    _subpixel_synthesis(net, [192, 192, 224, 256, 288, m])
    net.slices(("cc_mean_transforms", "cc_scale_transforms"), m, [32] * 10, 5, [224, 176, 128, 64])
    net.at("entropy_bottleneck").bottleneck(192)
    net.at("gaussian_conditional").gaussian()
    return net.shapes


def stf(
    depths: Sequence[int] = (2, 2, 6, 2),
    heads: Sequence[int] = (3, 6, 12, 24),
    window: int = 4,
    patch: int = 2,
    mlp_ratio: int = 4,
) -> Shapes:
    """What its authors' code can vary; embedding 48, 12 slices."""
    net = Checkpoint()
    widths = [48, 96, 192, 384]
    net.at("patch_embed", "proj").conv(3, 48, patch)
    net.at("patch_embed", "norm").norm(48)
    for i, stage in enumerate(zip(widths, depths, heads, strict=True)):
        net.at("layers", i).swin_stage(*stage, window, mlp_ratio)
        net.at("syn_layers", 3 - i).swin_stage(*stage, window, mlp_ratio)
    for i, width in enumerate(widths[:-1]):
        net.at("layers", i, "downsample").resampling(4 * width, 2 * width)
        net.at("syn_layers", 2 - i, "downsample").resampling(2 * width, 4 * width)
    net.at("end_conv", 0).conv(48, 48 * patch**2, 5)
    net.at("end_conv", 2).conv(48, 3)
    net.at("h_a").net(384, [384, 336, 288, 240], 192)
    _subpixel_synthesis(net, [192, 240, 288, 336, 384, 384])
    net.slices(("cc_mean_transforms", "cc_scale_transforms"), 384, [32] * 12, 6, [224, 176, 128, 64])
    net.at("entropy_bottleneck").bottleneck(192)
    net.at("gaussian_conditional").gaussian()
    return net.shapes


def _subpixel_synthesis(net: Checkpoint, widths: Sequence[int]) -> None:
    """STF's and WACNN's: every second layer doubles the side."""
    for name in ("h_mean_s", "h_scale_s"):
        for i, (before, after) in enumerate(pairwise(widths)):
            if i % 2:
                net.at(name, 2 * i, 0).conv(before, 4 * after)
            else:
                net.at(name, 2 * i).conv(before, after)


def tcm(
    n: int,
    depths: Sequence[int] = (2, 2, 2, 2, 2, 2),
    head_dims: Sequence[int] = (8, 16, 32, 32, 16, 8),
    slices: int = 5,
) -> Shapes:
    """What its authors' code can vary; M=320, 5 earlier slices at most."""
    net = Checkpoint()

    def stages(name: str, first: int, head_dims: Sequence[int], depths: Sequence[int], window: int) -> list[int]:
        """The blocks of some stages; gives where what closes each of them stands."""
        closing = []
        for depth, head_dim in zip(depths, head_dims, strict=True):
            for i in range(first, first + depth):
                net.at(name, i).conv_trans(n, window, head_dim)
            closing.append(first + depth)
            first += depth + 1
        return closing

    net.at("g_a", 0).residual_stride(3, 2 * n)
    *inner, last = stages("g_a", 1, head_dims[:3], depths[:3], 8)
    for i in inner:
        net.at("g_a", i).residual_stride(2 * n, 2 * n)
    net.at("g_a", last).conv(2 * n, 320)
    net.at("g_s", 0).residual_upsample(320, 2 * n)
    *inner, last = stages("g_s", 1, head_dims[3:], depths[3:], 8)
    for i in inner:
        net.at("g_s", i).residual_upsample(2 * n, 2 * n)
    net.at("g_s", last, 0).conv(2 * n, 4 * 3)
    net.at("h_a", 0).residual_stride(320, 2 * n)
    net.at("h_a", *stages("h_a", 1, [32], depths[:1], 4)).conv(2 * n, 192)
    for name in ("h_mean_s", "h_scale_s"):
        net.at(name, 0).residual_upsample(192, 2 * n)
        net.at(name, *stages(name, 1, [32], depths[3:4], 4), 0).conv(2 * n, 4 * 320)
    groups = [320 // slices] * slices
    seen = net.slices(("cc_mean_transforms", "cc_scale_transforms"), 320, groups, 5, [224, 128])
    for k, support in enumerate(seen):
        net.at("atten_mean", k, 0).sw_atten(support)
        net.at("atten_scale", k, 0).sw_atten(support)
    net.at("entropy_bottleneck").bottleneck(192)
    net.at("gaussian_conditional").gaussian()
    return net.shapes


def cca(
    proportions: Sequence[float],
    widths: Sequence[int] = (192, 224, 256),
    m: int = 320,
    bottlenecks: int = 3,
    nafs: int = 4,
    naf_width: int = 224,
    naf_depth: int = 4,
    aux_lrps: int | None = None,
    aux: bool = True,
) -> Shapes:
    """With its auxiliary branch, whose LRPs are those of the present code unless said, or without."""
    net = Checkpoint()
    for i, (before, after) in enumerate(pairwise((3, *widths, m))):
        net.at("g_a", "down", i).conv(before, after, 5)
        net.at("g_s", "up", len(widths) - i).deconv(after, before)
    for i, width in enumerate(widths):
        down, up = net.at("g_a", "blocks", i), net.at("g_s", "blocks", len(widths) - 1 - i)
        for j in range(bottlenecks):
            down.at(j).bottleneck_block(width)
            up.at(nafs + j).bottleneck_block(width)
        for j in range(nafs):
            down.at(bottlenecks + j).naf(width)
            up.at(j).naf(width)
    hidden = widths[-1]
    net.at("h_a", 0).conv(m, hidden)
    net.at("h_a", 2).conv(hidden, hidden, 5)
    net.at("h_a", 4).conv(hidden, 192, 5)
    for name in ("h_mean_s", "h_scale_s"):
        net.at(name, 0).deconv(192, hidden)
        net.at(name, 2).deconv(hidden, hidden)
        net.at(name, 4).deconv(hidden, m, 3)
    groups = _proportional(m, proportions)
    net.at("z_entropy_bottleneck").bottleneck(192)
    branch = net.at("aux_entropymodel")
    coders = [(net, None, 0)]
    if aux:
        branch.at("y_entropy_bottleneck").bottleneck(m)
        coders.append((branch, max(0, len(groups) - 2) if aux_lrps is None else aux_lrps, 1))
    for coder, lrps, skip in coders:
        names = ("mean_cc_transforms", "scale_cc_transforms")
        seen = coder.slices(names, m, groups, len(groups), [224, 128], lrps, skip)
        for k, support in enumerate(seen):
            coder.at("mean_NAF_transforms", k).naf_transform(support, naf_width, naf_depth)
            coder.at("scale_NAF_transforms", k).naf_transform(support, naf_width, naf_depth)
        coder.at("gaussian_conditional").gaussian()
    return net.shapes


def _proportional(channels: int, proportions: Sequence[float]) -> list[int]:
    if len(proportions) == 1:
        return [channels // int(proportions[0])] * int(proportions[0])
    widths = [math.floor(channels * p / sum(proportions)) for p in proportions[:-1]]
    return [*widths, channels - sum(widths)]
