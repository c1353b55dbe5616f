"""1x1 convolutions of float32 maps on the CPU, whose channels lie together, with what follows them in one go."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn

from codecspec.runtime.machine_code import kernels_take
from codecspec.runtime.openmp import run_on_all_threads


@cache
def columns() -> int:
    """Output channels are a multiple of so many."""
    from codecspec.runtime.vector_kernels import LANES

    return 2 * LANES


def suits(conv: nn.Conv2d, x: Tensor) -> bool:
    """Whether `conv`, given maps (N, C, H, W), is such a convolution."""
    return (
        (conv.kernel_size, conv.stride, conv.padding, conv.groups) == ((1, 1), (1, 1), (0, 0), 1)
        and kernels_take(x, conv.weight)
        and x.numel() > 0
        and _lies_together(x)
        and conv.out_channels % columns() == 0
    )


def convolved(
    conv: nn.Conv2d, x: Tensor, *, relu: bool = False, added: Tensor | None = None, out: Tensor | None = None
) -> Tensor:
    """What `conv` makes of maps; without gradients.

    Args:
        conv: a convolution that `suits`.
        x: (N, C, H, W), channels_last, or rows of such maps.
        relu: whether a ReLU follows; not with `added`.
        added: (N, out, H, W), likewise, which is added.
        out: likewise, to write to; new if it is None.

    Returns:
        (N, out, H, W), channels_last.
    """
    from codecspec.runtime.layers import one_by_one_kernels as kernels

    n, channels, height, width = x.shape
    if out is None:
        out = torch.empty(n, conv.out_channels, height, width, memory_format=torch.channels_last)
    weight, bias = panels(conv.weight.flatten(1)), bias_of(conv)
    maps = [number for each in (x, out, added) for number in _address(each)]
    size = [n, height * width, channels, conv.out_channels]
    run_on_all_threads(kernels.convolve.address, [0, *size, weight.data_ptr(), bias.data_ptr(), relu, *maps])
    return out


def panels(matrix: Tensor) -> Tensor:
    """(out, C) -> (out / LANES, C, LANES)."""
    return matrix.view(-1, columns() // 2, matrix.shape[1]).transpose(1, 2).contiguous()


def bias_of(conv: nn.Conv2d) -> Tensor:
    """(out): zeros where it has none."""
    return conv.weight.new_zeros(conv.out_channels) if conv.bias is None else conv.bias.contiguous()


def _lies_together(x: Tensor) -> bool:
    """Whether positions of an image lie one behind the other, each with all its channels."""
    channels, width = x.shape[1], x.shape[3]
    steps = (1, width * channels, channels)
    return all(size == 1 or step == own for size, step, own in zip(x.shape[1:], steps, x.stride()[1:], strict=True))


def _address(maps: Tensor | None) -> tuple[int, int]:
    return (0, 0) if maps is None else (maps.data_ptr(), 4 * maps.stride(0))
