"""1x1 convolutions on the CPU, with the GELU before, the skip and the GELU behind in the same pass over memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from codecspec.runtime.layers.winograd import runs_here
from codecspec.runtime.openmp import run_on_all_threads


def pointwise(
    x: Tensor, conv: nn.Conv2d, *, skip: Tensor | None = None, gelu_before: bool = False, gelu_after: bool = False
) -> Tensor:
    """GELU(conv(GELU(x)) + skip), of these what is asked for, without gradients; see `suits`.

    Args:
        x: (N, C, H, W); channels_last is read where it lies.
        conv: the convolution.
        skip: (N, out, H, W), or None.
        gelu_before: whether x goes through a GELU.
        gelu_after: whether the sum does.

    Returns:
        (N, out, H, W), channels_last.
    """
    from codecspec.runtime.layers import linear_kernels as kernels

    x = x.contiguous(memory_format=torch.channels_last)
    n, inputs, height, width = x.shape
    outputs = conv.out_channels
    out = x.new_empty(n, height, width, outputs).permute(0, 3, 1, 2)
    weight, bias = packed(conv.weight.view(outputs, inputs)), conv.bias
    skip = skip.contiguous(memory_format=torch.channels_last) if skip is not None else None
    threads = torch.get_num_threads()
    scratch = x.new_empty(threads, kernels.POSITIONS * inputs if gelu_before else 0)
    given = job(
        kernels.POINTWISE,
        x=x.data_ptr(),
        out=out.data_ptr(),
        weight=weight.data_ptr(),
        bias=bias.data_ptr() if bias is not None else 0,
        skip=skip.data_ptr() if skip is not None else 0,
        scratch=scratch.data_ptr(),
        scratch_size=kernels.POSITIONS * inputs * x.element_size(),
        positions=n * height * width,
        inputs=inputs,
        outputs=outputs,
        before=kernels.GELU if gelu_before else kernels.NOTHING,
        after=kernels.GELU if gelu_after else kernels.NOTHING,
    )
    run_on_all_threads(kernels.pointwise.address, given)
    return out


def suits(conv: nn.Conv2d, x: Tensor) -> bool:
    """Whether `pointwise` computes `conv` of maps of x's type: a 1x1 convolution with a bias, of channels that fill
    vectors."""
    return (
        kernels_take(x, conv.weight)
        and (conv.kernel_size, conv.stride, conv.padding, conv.groups) == ((1, 1), (1, 1), (0, 0), 1)
        and (conv.in_channels % 16, conv.out_channels % 16) == (0, 0)
        and conv.bias is not None
    )


def kernels_take(x: Tensor, weight: Tensor) -> bool:
    """Whether kernels may stand for PyTorch's own functions: float32 on a CPU, outside of autocast."""
    return (
        x.dtype == weight.dtype == torch.float32
        and x.device.type == "cpu"
        and not torch.is_autocast_enabled("cpu")
        and runs_here()
    )


def packed(weight: Tensor, *, scaled: int = 0, scale: float = 1.0) -> Tensor:
    """A weight (outputs, inputs) as the kernels read it; its first `scaled` outputs `scale` times as large."""
    from codecspec.runtime.layers import linear_kernels as kernels

    weight = weight.detach().contiguous()
    made = torch.empty_like(weight)
    outputs, inputs = weight.shape
    given = job(
        kernels.PACK,
        weight=weight.data_ptr(),
        packed=made.data_ptr(),
        outputs=outputs,
        inputs=inputs,
        scaled=scaled,
        scale=scale,
    )
    run_on_all_threads(kernels.pack.address, given)
    return made


def job(layout: np.dtype[Any], **fields: float) -> list[int]:
    """What a kernel is told, by a record's layout, as integers; zero where nothing is said."""
    record = np.zeros(1, layout)
    for name, value in fields.items():
        record[name] = value
    return record.view(np.int64).tolist()
