"""What the authors' networks compute, written down a second time: plain functions over the tensors of their checkpoints
and not this project's modules. They run at any configuration, on images whose sides are multiples of what the authors'
own code asks for.

`test_other_configurations` holds them to the goldens at the published sizes first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

Support = Callable[["Network", Tensor], Tensor]
"""T of the shared flow: what a slice's nets see of their support."""


@dataclass(frozen=True)
class Network:
    """The tensors of a checkpoint below a prefix, by the names that follow it."""

    state: dict[str, Tensor]
    prefix: str = ""

    def at(self, *names: str | int) -> Network:
        return Network(self.state, "".join([self.prefix, *(f"{name}." for name in names)]))

    def __getitem__(self, name: str) -> Tensor:
        return self.state[self.prefix + name]

    def __contains__(self, name: str) -> bool:
        return any(key.startswith(f"{self.prefix}{name}.") for key in self.state)

    def count(self) -> int:
        """How many numbered children there are."""
        heads = {key[len(self.prefix) :].split(".")[0] for key in self.state if key.startswith(self.prefix)}
        return sum(head.isdecimal() for head in heads)

    # layers

    def conv(self, x: Tensor, stride: int = 1, padding: int | None = None) -> Tensor:
        weight = self["weight"]
        padding = weight.shape[-1] // 2 if padding is None else padding
        return F.conv2d(x, weight, self["bias"], stride, padding, groups=x.shape[1] // weight.shape[1])

    def deconv(self, x: Tensor, stride: int = 2) -> Tensor:
        weight = self["weight"]
        return F.conv_transpose2d(x, weight, self["bias"], stride, weight.shape[-1] // 2, stride - 1)

    def subpel(self, x: Tensor, factor: int = 2) -> Tensor:
        return F.pixel_shuffle(self.conv(x), factor)

    def linear(self, x: Tensor) -> Tensor:
        return F.linear(x, self["weight"], self["bias"])

    def norm(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], self["weight"], self["bias"], 1e-5)

    def gdn(self, x: Tensor, inverse: bool) -> Tensor:
        def positive(name: str) -> Tensor:
            side = self.at(f"{name}_reparam")
            return self[name].clamp(min=side["lower_bound.bound"].item()) ** 2 - side["pedestal"]

        norm = F.conv2d(x**2, positive("gamma")[:, :, None, None], positive("beta")).sqrt()
        return x * norm if inverse else x / norm

    def net(self, x: Tensor) -> Tensor:
        """3x3 convolutions at 0, 2, .., GELU between."""
        layers = range(0, 2 * self.count(), 2)
        for i in layers:
            x = self.at(i).conv(x if i == 0 else F.gelu(x))
        return x

    # attention, channels last

    def attention(self, x: Tensor, heads: int, window: int, shift: int, bias: Tensor, mask: float,
                  qkv: str, proj: str) -> Tensor:  # fmt: skip
        """(N, H, W, C), sides multiples of the window; `bias` (heads, w^2, w^2)."""
        n, height, width, c = x.shape
        x = x.roll((-shift, -shift), (1, 2))
        windows = _windows(x, window)
        q, k, v = self.at(qkv).linear(windows).reshape(*windows.shape[:2], 3, heads, c // heads).permute(2, 0, 3, 1, 4)
        scores = (q * (c // heads) ** -0.5) @ k.transpose(-1, -2) + bias
        if shift:
            regions = _windows(_regions(height, width, window, shift), window).squeeze(-1)
            apart = regions[:, :, None] != regions[:, None, :]
            scores = scores + torch.where(apart, mask, 0.0).repeat(n, 1, 1)[:, None]
        seen = self.at(proj).linear((scores.softmax(-1) @ v).transpose(1, 2).reshape(windows.shape))
        rows = seen.reshape(n, height // window, width // window, window, window, c)
        return rows.permute(0, 1, 3, 2, 4, 5).reshape(n, height, width, c).roll((shift, shift), (1, 2))

    def table_bias(self, window: int) -> Tensor:
        """Swin's: ((2w-1)^2, heads) -> (heads, w^2, w^2)."""
        table = self["relative_position_bias_table"]
        index = _differences(window)[0] * (2 * window - 1) + _differences(window)[1]
        return table[index].permute(2, 0, 1)


def _windows(x: Tensor, window: int) -> Tensor:
    """(N, H, W, C) -> (N * windows, w^2, C), row by row."""
    n, height, width, c = x.shape
    cut = x.reshape(n, height // window, window, width // window, window, c)
    return cut.permute(0, 1, 3, 2, 4, 5).reshape(-1, window**2, c)


def _differences(window: int) -> tuple[Tensor, Tensor]:
    """Of rows and of columns, for each pair of positions, from 0."""
    rows, columns = torch.arange(window).repeat_interleave(window), torch.arange(window).repeat(window)
    down, right = (axis[:, None] - axis[None, :] + window - 1 for axis in (rows, columns))
    return down, right


def _regions(height: int, width: int, window: int, shift: int) -> Tensor:
    """(1, H, W, 1): nine numbers for the parts of a rolled map that were no neighbours."""

    def part(side: int) -> Tensor:
        at = torch.arange(side)
        return (at >= side - window).long() + (at >= side - shift).long()

    return (3 * part(height)[:, None] + part(width)[None, :])[None, :, :, None]


# what STF, WACNN, TCM and CCA share


def code(
    net: Network,
    y: Tensor,
    sides: tuple[Tensor, Tensor],
    names: tuple[str, str],
    seen: Sequence[int],
    transforms: tuple[str, str] | None = None,
    transform: Support | None = None,
) -> tuple[Tensor, Tensor]:
    """y_hat, and the likelihoods of y: slice k sees the first `seen[k]` slices before it."""
    hats: list[Tensor] = []
    likelihoods: list[Tensor] = []
    start = 0
    for k, count in enumerate(seen):
        inputs = [torch.cat([side, *hats[:count]], dim=1) for side in sides]
        if transforms and transform:
            inputs = [transform(net.at(name, k), x) for name, x in zip(transforms, inputs, strict=True)]
        mu, sigma = (net.at(name, k).net(x) for name, x in zip(names, inputs, strict=True))
        here = y[:, start : start + mu.shape[1]]
        start += mu.shape[1]
        hat = (here - mu).round() + mu
        likelihoods.append(_gaussian(hat - mu, sigma))
        if str(k) in net.at("lrp_transforms"):
            hat = hat + 0.5 * torch.tanh(net.at("lrp_transforms", k).net(torch.cat([inputs[0], hat], dim=1)))
        hats.append(hat)
    return torch.cat(hats, dim=1), torch.cat(likelihoods, dim=1)


def _gaussian(residual: Tensor, sigma: Tensor) -> Tensor:
    """A Gaussian of at least the bound's width, convolved with a unit box."""
    sigma = sigma.clamp(min=torch.tensor(0.11).item())
    upper, lower = ((x / sigma / -math.sqrt(2)).erfc() / 2 for x in (0.5 - residual.abs(), -0.5 - residual.abs()))
    return (upper - lower).clamp(min=torch.tensor(1e-9).item())


def rounded(z: Tensor, quantiles: Tensor) -> Tensor:
    """z_hat, around the medians."""
    medians = quantiles[:, 0, 1][None, :, None, None]
    return (z - medians).round() + medians


# Zou, Song, Zhang, CVPR 2022


def stf(state: dict[str, Tensor], x: Tensor, *, window: int, patch: int, heads: Sequence[int], max_support: int = 6,
        ) -> tuple[Tensor, Tensor]:  # fmt: skip
    """x_hat, and the likelihoods of y."""
    net = Network(state)

    def stage(name: str, i: int, tokens: Tensor, num_heads: int) -> Tensor:
        for j in range(net.at(name, i, "blocks").count()):
            block = net.at(name, i, "blocks", j)
            tokens = _swin(block, tokens, num_heads, window, window // 2 if j % 2 else 0)
        return tokens

    tokens = net.at("patch_embed", "norm").norm(
        net.at("patch_embed", "proj").conv(x, patch, padding=0).permute(0, 2, 3, 1)
    )
    for i in range(4):
        tokens = stage("layers", i, tokens, heads[i])
        if i < 3:
            corners = [tokens[:, row::2, column::2] for row, column in ((0, 0), (1, 0), (0, 1), (1, 1))]
            down = net.at("layers", i, "downsample")
            tokens = F.linear(down.at("norm").norm(torch.cat(corners, dim=-1)), down["reduction.weight"])
    y_hat, likelihoods = _stf_code(net, tokens.permute(0, 3, 1, 2), max_support)
    tokens = y_hat.permute(0, 2, 3, 1)
    for i in range(4):
        tokens = stage("syn_layers", i, tokens, heads[3 - i])
        if i < 3:
            up = net.at("syn_layers", i, "downsample")
            wide = F.linear(up.at("norm").norm(tokens), up["reduction.weight"])
            tokens = F.pixel_shuffle(wide.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)
    image = net.at("end_conv", 0).subpel(tokens.permute(0, 3, 1, 2), patch)
    return net.at("end_conv", 2).conv(image), likelihoods


def _swin(block: Network, x: Tensor, heads: int, window: int, shift: int) -> Tensor:
    height, width = x.shape[1:3]
    padded = F.pad(block.at("norm1").norm(x), (0, 0, 0, -width % window, 0, -height % window))
    attn = block.at("attn")
    seen = attn.attention(padded, heads, window, shift, attn.table_bias(window), -100.0, "qkv", "proj")
    x = x + seen[:, :height, :width]
    return x + block.at("mlp", "fc2").linear(F.gelu(block.at("mlp", "fc1").linear(block.at("norm2").norm(x))))


def _stf_code(net: Network, y: Tensor, max_support: int) -> tuple[Tensor, Tensor]:
    z = y
    for i in range(5):
        z = net.at("h_a", 2 * i).conv(F.gelu(z) if i else z, stride=2 if i in (2, 4) else 1)
    z_hat = rounded(z, net["entropy_bottleneck.quantiles"])

    def synthesis(name: str) -> Tensor:
        x = z_hat
        for i in range(5):
            layer, x = net.at(name, 2 * i), F.gelu(x) if i else x
            x = layer.at(0).subpel(x) if i % 2 else layer.conv(x)
        return x

    seen = [min(k, max_support) for k in range(net.at("cc_mean_transforms").count())]
    sides = synthesis("h_mean_s"), synthesis("h_scale_s")
    return code(net, y, sides, ("cc_mean_transforms", "cc_scale_transforms"), seen)


# Liu, Sun, Katto, CVPR 2023


def tcm(state: dict[str, Tensor], x: Tensor, *, head_dims: Sequence[int]) -> tuple[Tensor, Tensor]:
    """x_hat, and the likelihoods of y."""
    net = Network(state)
    y = _tcm_row(net.at("g_a"), x, head_dims[:3], 8)
    z_hat = rounded(_tcm_row(net.at("h_a"), y, [32], 4), net["entropy_bottleneck.quantiles"])
    sides = _tcm_row(net.at("h_mean_s"), z_hat, [32], 4), _tcm_row(net.at("h_scale_s"), z_hat, [32], 4)
    seen = [min(k, 5) for k in range(net.at("cc_mean_transforms").count())]
    names, transforms = ("cc_mean_transforms", "cc_scale_transforms"), ("atten_mean", "atten_scale")
    y_hat, likelihoods = code(net, y, sides, names, seen, transforms, _sw_atten)
    return _tcm_row(net.at("g_s"), y_hat, head_dims[3:], 8), likelihoods


def _tcm_row(row: Network, x: Tensor, head_dims: Sequence[int], window: int) -> Tensor:
    """The blocks of a transform, told apart by their tensors; each stage ends where the resolution changes."""
    stage, place = -1, 0
    for i in range(row.count()):
        block = row.at(i)
        if "trans_block" in block:
            x = _conv_trans(block, x, head_dims[stage], window, window // 2 if place % 2 else 0)
            place += 1
            continue
        stage, place = stage + 1, 0
        if "skip" in block:
            out = block.at("conv2").conv(F.leaky_relu(block.at("conv1").conv(x, 2)))
            x = block.at("gdn").gdn(out, inverse=False) + block.at("skip").conv(x, 2)
        elif "subpel_conv" in block:
            out = block.at("conv").conv(F.leaky_relu(block.at("subpel_conv", 0).subpel(x)))
            x = block.at("igdn").gdn(out, inverse=True) + block.at("upsample", 0).subpel(x)
        else:
            x = block.at(0).subpel(x) if "0" in block else block.conv(x, 2)
    return x


def _conv_trans(block: Network, x: Tensor, head_dim: int, window: int, shift: int) -> Tensor:
    conv, trans = block.at("conv1_1").conv(x).chunk(2, dim=1)
    inner = block.at("conv_block")
    residual = F.leaky_relu(inner.at("conv2").conv(F.leaky_relu(inner.at("conv1").conv(conv)))) + conv
    tokens = _tcm_transformer(block.at("trans_block"), trans.permute(0, 2, 3, 1), head_dim, window, shift)
    joined = torch.cat([residual + conv, tokens.permute(0, 3, 1, 2)], dim=1)
    return x + block.at("conv1_2").conv(joined)


def _tcm_transformer(block: Network, x: Tensor, head_dim: int, window: int, shift: int) -> Tensor:
    msa = block.at("msa")
    down, right = _differences(window)
    bias = msa["relative_position_params"][:, down, right]
    seen = block.at("ln1").norm(x)
    x = x + msa.attention(seen, x.shape[-1] // head_dim, window, shift, bias, -math.inf, "embedding_layer", "linear")
    return x + block.at("mlp", 2).linear(F.gelu(block.at("mlp", 0).linear(block.at("ln2").norm(x))))


def _sw_atten(block: Network, x: Tensor) -> Tensor:
    block = block.at(0)
    u = block.at("in_conv").conv(x)
    tokens = u.permute(0, 2, 3, 1)
    for name, shift in (("block_1", 0), ("block_2", 4)):
        tokens = _tcm_transformer(block.at("non_local_block", name), tokens, 16, 8, shift)
    a, b = u, tokens.permute(0, 3, 1, 2)
    for i in range(3):
        a, b = _unit(block.at("conv_a", i, "conv"), a), _unit(block.at("conv_b", i, "conv"), b)
    return block.at("out_conv").conv(u + a * block.at("conv_b", 3).conv(b).sigmoid())


def _unit(unit: Network, x: Tensor) -> Tensor:
    """A residual unit of CompressAI's AttentionBlock."""
    out = unit.at(2).conv(F.relu(unit.at(0).conv(x)))
    return F.relu(x + unit.at(4).conv(F.relu(out)))


# Han et al., NeurIPS 2024


def cca(state: dict[str, Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """x_hat, and the likelihoods of y; with an auxiliary branch those of y_cca follow y's, along the channels."""
    net = Network(state)
    stages = net.at("g_a", "blocks").count()
    y = x
    for i in range(stages + 1):
        y = net.at("g_a", "down", i).conv(y, 2)
        y = _cca_stage(net.at("g_a", "blocks", i), y) if i < stages else y
    z = net.at("h_a", 2).conv(F.gelu(net.at("h_a", 0).conv(y)), 2)
    z_hat = rounded(net.at("h_a", 4).conv(F.gelu(z), 2), net["z_entropy_bottleneck.quantiles"])

    def synthesis(name: str) -> Tensor:
        out = F.gelu(net.at(name, 2).deconv(F.gelu(net.at(name, 0).deconv(z_hat))))
        return net.at(name, 4).deconv(out, 1)

    sides = synthesis("h_mean_s"), synthesis("h_scale_s")
    names, transforms = ("mean_cc_transforms", "scale_cc_transforms"), ("mean_NAF_transforms", "scale_NAF_transforms")
    slices = range(net.at("mean_cc_transforms").count())
    y_hat, likelihoods = code(net, y, sides, names, list(slices), transforms, _naf_transform)
    if "aux_entropymodel" in net:
        seen = [max(k - 1, 0) for k in slices]
        _, y_cca = code(net.at("aux_entropymodel"), y, sides, names, seen, transforms, _naf_transform)
        likelihoods = torch.cat([likelihoods, y_cca], dim=1)
    image = y_hat
    for i in range(stages + 1):
        image = net.at("g_s", "up", i).deconv(image)
        image = _cca_stage(net.at("g_s", "blocks", i), image) if i < stages else image
    return image, likelihoods


def _cca_stage(stage: Network, x: Tensor) -> Tensor:
    for j in range(stage.count()):
        block = stage.at(j)
        if f"{block.prefix}beta" in block.state:
            x = _naf(block, x)
        else:
            out = block.at("conv2").conv(F.relu(block.at("conv1").conv(x)))
            x = x + block.at("conv3").conv(F.relu(out))
    return x


def _naf(block: Network, x: Tensor) -> Tensor:
    def norm(name: str, x: Tensor) -> Tensor:
        side, last = block.at(name), x.permute(0, 2, 3, 1)
        return F.layer_norm(last, last.shape[-1:], side["weight"], side["bias"], 1e-6).permute(0, 3, 1, 2)

    def gate(x: Tensor) -> Tensor:
        first, second = x.chunk(2, dim=1)
        return first * second

    s = gate(block.at("dwconv", 1).conv(block.at("dwconv", 0).conv(norm("norm1", x))))
    s = s * block.at("sca", 1).conv(s.mean(dim=(2, 3), keepdim=True))
    x = x + block["beta"] * block.at("conv1").conv(s)
    inner = gate(block.at("FFN", 0).conv(norm("norm2", x)))
    return x + block["gamma"] * block.at("FFN", 2).conv(inner)


def _naf_transform(block: Network, x: Tensor) -> Tensor:
    u = v = block.at("in_conv").conv(x)
    for i in range(block.at("blocks").count()):
        v = _naf(block.at("blocks", i), v)
    return block.at("out_conv").conv(u + v)
