"""The two halves of a NAF block on the CPU, each in one pass over the maps (`naf_kernels`)."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from codecspec.runtime.layers.packed_weights import PANEL, job, packed
from codecspec.runtime.layers.pointwise import bias_of
from codecspec.runtime.machine_code import kernels_take
from codecspec.runtime.openmp import run_on_all_threads

POSITIONS = 384
"""Normalized positions that a thread holds at a time in the first half: whole rows of about so many. They and what the
depthwise convolution sees of a few channels are in the second-level cache."""
CHUNK = 192
"""Positions that a thread takes through the second half at a time; likewise."""
BAND_ROWS = 128
"""Rows of a band of the first half, about: two more are computed for each."""


def suits(x: Tensor, weight: Tensor) -> bool:
    """Whether a block of such weights takes maps (N, C, H, W) this way."""
    return kernels_take(x, weight) and x.numel() > 0 and x.shape[1] % PANEL == 0


def gated(x: Tensor, norm: nn.LayerNorm, widen: nn.Conv2d, depthwise: nn.Conv2d, out: Tensor) -> Tensor:
    """What goes into the channel attention, s = gate(depthwise(widen(norm(x)))), into `out`.

    Args:
        x: (N, C, H, W), channels_last; `suits`.
        norm: over channels.
        widen: 1x1, C -> 2C.
        depthwise: 3x3, 2C -> 2C.
        out: (N, C, H, W), channels_last.

    Returns:
        The mean of s over all positions, (N, C, 1, 1).
    """
    from codecspec.runtime.layers import naf_kernels as kernels
    from codecspec.runtime.vector_kernels import LANES

    n, channels, height, width = x.shape
    rows = max(1, POSITIONS // width)
    threads = torch.get_num_threads()
    tasks = min(height, threads * max(1, round(height / threads / BAND_ROWS)))
    scratch = x.new_empty(
        threads, rows * width * channels + 2 * (width + 2) * (channels * (rows + 2) + LANES) + 2 * channels
    )
    sums = x.new_empty(n, height, channels)
    widened, widen_bias = _after_norm(norm, widen)
    _run(
        kernels.gate_rows,
        x,
        out,
        scratch,
        {"tasks": tasks, "rows": rows},
        sums=sums,
        widen=widened,
        widen_bias=widen_bias,
        depthwise=depthwise.weight.view(2, -1, LANES, kernels.TAPS).permute(1, 3, 0, 2).contiguous(),
        depthwise_bias=bias_of(depthwise),
    )
    means = sums.numpy().sum(1, dtype=np.float64) / (height * width)
    return torch.from_numpy(means).to(x.dtype).view(n, channels, 1, 1)


def attended(attend: nn.Conv2d, means: Tensor) -> Tensor:
    """(N, C, 1, 1) -> what a 1x1 convolution makes of it."""
    return (_times_vectors(_matrix(attend), means.flatten(1)) + bias_of(attend))[..., None, None]


def finish(
    x: Tensor,
    s: Tensor,
    attention: Tensor,
    project: tuple[nn.Conv2d, Tensor],
    norm: nn.LayerNorm,
    feed_forward: nn.Sequential,
    gamma: Tensor,
) -> None:
    """u = x + beta * project(attention * s), then u + gamma * feed_forward(norm(u)), in place of s.

    Args:
        x: (N, C, H, W), channels_last; `suits`.
        s: likewise.
        attention: (N, C, 1, 1).
        project: 1x1, C -> C, and beta, (1, C, 1, 1).
        norm: over channels.
        feed_forward: 1x1 to 2C, gate, 1x1 to C.
        gamma: (1, C, 1, 1).
    """
    from codecspec.runtime.layers import naf_kernels as kernels

    widen, narrow = cast(nn.Conv2d, feed_forward[0]), cast(nn.Conv2d, feed_forward[2])
    projection, beta = project
    matrix = _matrix(projection) * beta.view(-1, 1)
    scratch = x.new_empty(torch.get_num_threads(), (3 * CHUNK + 2) * x.shape[1])
    inner, inner_bias = _after_norm(norm, widen)
    _run(
        kernels.finish,
        x,
        s,
        scratch,
        {"chunk": CHUNK},
        project=packed((matrix * attention.flatten(1).unsqueeze(1)).flatten(0, 1)),
        project_bias=bias_of(projection) * beta.flatten(),
        inner=inner,
        inner_bias=inner_bias,
        narrow=packed(_matrix(narrow) * gamma.view(-1, 1)),
        narrow_bias=bias_of(narrow) * gamma.flatten(),
    )


def _run(kernel: Any, x: Tensor, s: Tensor, scratch: Tensor, numbers: dict[str, int], **tensors: Tensor) -> None:
    """Run an entry of `naf_kernels`, given numbers and tensors of its own."""
    from codecspec.runtime.layers.naf_kernels import JOB

    n, channels, height, width = x.shape
    given = job(
        JOB,
        scratch=scratch.data_ptr(),
        scratch_size=4 * scratch.stride(0),
        images=n,
        channels=channels,
        height=height,
        width=width,
        x=x.data_ptr(),
        s=s.data_ptr(),
        **numbers,
        **{name: tensor.data_ptr() for name, tensor in tensors.items()},
    )
    run_on_all_threads(kernel.address, given)


def _after_norm(norm: nn.LayerNorm, conv: nn.Conv2d) -> tuple[Tensor, Tensor]:
    """Packed pairs and bias of a 1x1 convolution of what a norm gives before its own weight w and bias b:
    W (w n + b) + c = (W diag w) n + (W b + c)."""
    weight = _matrix(conv)
    return packed(weight * norm.weight, paired=True), _times_vectors(weight, norm.bias) + bias_of(conv)


def _times_vectors(matrix: Tensor, vectors: Tensor) -> Tensor:
    """(out, C), (..., C) -> (..., out); not by BLAS, where the order of sums depends on the number of threads."""
    return (matrix * vectors.unsqueeze(-2)).sum(-1)


def _matrix(conv: nn.Conv2d) -> Tensor:
    """(out, C) of a 1x1 convolution."""
    return conv.weight.flatten(1)
