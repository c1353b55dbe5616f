"""Products over the channels of every position on the CPU, with what stands around them in the same pass over memory:
1x1 convolutions with activations and a sum, and divisive normalization."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from codecspec.runtime.layers.packed_weights import PANEL, job, packed
from codecspec.runtime.machine_code import kernels_take
from codecspec.runtime.openmp import run_on_all_threads


def pointwise(
    x: Tensor,
    conv: nn.Conv2d,
    *,
    skip: Tensor | None = None,
    gelu_before: bool = False,
    gelu_after: bool = False,
    relu_after: bool = False,
    out: Tensor | None = None,
    weight: Tensor | None = None,
) -> Tensor:
    """GELU(conv(GELU(x)) + skip), or ReLU(..), of these what is asked for, without gradients; see `suits`.

    Args:
        x: (N, C, H, W); channels_last, and rows of such maps, are read where they lie.
        conv: the convolution.
        skip: (N, out, H, W), likewise, or None.
        gelu_before: whether x goes through a GELU.
        gelu_after: whether the sum does.
        relu_after: whether the sum goes through a ReLU; not with `gelu_after`.
        out: (N, out, H, W) to write to, channels_last or rows of such maps, apart from x; new if it is None.
        weight: what `packed_of` gives for the convolution, from those who call more than once.

    Returns:
        (N, out, H, W), channels_last, or `out`.
    """
    from codecspec.runtime.layers.linear_kernels import GELU, NOTHING, RELU

    before = GELU if gelu_before else NOTHING
    after = GELU if gelu_after else RELU if relu_after else NOTHING
    weight = packed_of(conv) if weight is None else weight
    return _run(x, weight, bias_of(conv), skip, before=before, after=after, out=out)


def packed_of(conv: nn.Conv2d) -> Tensor:
    """The weight of a 1x1 convolution as kernels read it."""
    return packed(conv.weight.flatten(1))


def normalized(x: Tensor, gamma: Tensor, beta: Tensor, *, inverse: bool, in_place: bool) -> Tensor:
    """x / sqrt(beta + gamma x^2) over the channels of every position, or x * sqrt(..); without gradients.

    Args:
        x: (N, C, H, W), float32 on the CPU (`kernels_take`), C a multiple of 16.
        gamma: (C, C).
        beta: (C).
        inverse: multiply.
        in_place: overwrite x, if it is channels_last.

    Returns:
        (N, C, H, W), channels_last.
    """
    from codecspec.runtime.layers.linear_kernels import OVER_ROOT, SQUARE, TIMES_ROOT

    x = _with_positions_together(x)
    after = TIMES_ROOT if inverse else OVER_ROOT
    return _run(x, packed(gamma), beta, x, before=SQUARE, after=after, out=x if in_place else None)


def _run(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    other: Tensor | None,
    *,
    before: int,
    after: int,
    out: Tensor | None = None,
) -> Tensor:
    """Run `linear_kernels.pointwise`, given a packed weight; `other` may be `out`, whose positions lie together."""
    from codecspec.runtime.layers import linear_kernels as kernels

    n, inputs, height, width = x.shape
    outputs = len(bias)
    if out is None:
        out = x.new_empty(n, height, width, outputs).permute(0, 3, 1, 2)
    maps = {"x": _with_positions_together(x), "out": out}
    if other is not None:
        maps["other"] = _with_positions_together(other)
    scratch = x.new_empty(torch.get_num_threads(), kernels.POSITIONS * (inputs + outputs))
    tensors = {**maps, "weight": weight, "bias": bias, "scratch": scratch}
    given = job(
        kernels.POINTWISE,
        **{name: tensor.data_ptr() for name, tensor in tensors.items()},
        **{f"{name}_image": 4 * each.stride(0) for name, each in maps.items()},
        scratch_size=scratch[0].nbytes,
        images=n,
        positions=height * width,
        inputs=inputs,
        outputs=outputs,
        before=before,
        after=after,
    )
    run_on_all_threads(kernels.pointwise.address, given)
    return out


def _with_positions_together(x: Tensor) -> Tensor:
    """x itself if the positions of an image lie one behind the other, each with all its channels; else a copy."""
    channels, width = x.shape[1], x.shape[3]
    steps = (1, width * channels, channels)
    together = all(size == 1 or step == own for size, step, own in zip(x.shape[1:], steps, x.stride()[1:], strict=True))
    return x if together else x.contiguous(memory_format=torch.channels_last)


def suits(conv: nn.Conv2d, x: Tensor) -> bool:
    """Whether `pointwise` computes `conv` of maps of x's type: a 1x1 convolution, of channels that fill vectors."""
    return (
        kernels_take(x, conv.weight)
        and (conv.kernel_size, conv.stride, conv.padding, conv.groups) == ((1, 1), (1, 1), (0, 0), 1)
        and (conv.in_channels % PANEL, conv.out_channels % PANEL) == (0, 0)
    )


def bias_of(conv: nn.Conv2d | nn.ConvTranspose2d) -> Tensor:
    """(out): zeros where it has none."""
    return conv.weight.new_zeros(conv.out_channels) if conv.bias is None else conv.bias.contiguous()
