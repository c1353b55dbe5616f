"""A transformer block, or attention in windows alone, in one pass over the map, on the CPU.

    x ─► norm ─► qkv ─► attention of each window ─► proj ─► + x = u ─► norm ─► fc1 ─► GELU ─► fc2 ─► + u

Each thread takes a few windows from beginning to end; what lies between, 20 to 30 values for each one of the map, never
leaves its caches, and windows are neither cut out nor rolled nor padded, but found by their indexes. Every position
is computed in the same order of sums, whatever else its thread takes, so numbers do not depend on the threads.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from codecspec.runtime.layers.mlp import MLP
from codecspec.runtime.layers.packed_weights import job, packed
from codecspec.runtime.layers.window_attention import WindowAttention, attend_in_bands, shift_mask
from codecspec.runtime.machine_code import kernels_take
from codecspec.runtime.openmp import run_on_all_threads

MAX_WINDOW = 16
"""Larger windows have scores that no cache holds."""
POSITIONS = 192
"""As many, at most, a thread takes at a time: enough for weights to be read seldom."""
TASKS_PER_THREAD = 4
"""At least, where the map has so many windows, so that threads end together."""
ALIGNED = 64


def attend_fast(
    attn: WindowAttention,
    x: Tensor,
    *,
    shift: int,
    masked: float,
    norms: tuple[nn.LayerNorm, nn.LayerNorm] | None = None,
    mlp: MLP | None = None,
) -> Tensor:
    """x + attention(norm(x)) as u, then u + mlp(norm(u)); without gradients, on the CPU.

    Args:
        attn: the attention.
        x: (N, H, W, C).
        shift: as in `attend_in_windows`.
        masked: as there.
        norms: those before attention and MLP, or None for neither norms nor MLP.
        mlp: given with `norms`.

    Returns:
        (N, H, W, C).
    """
    if _suits(attn, x):
        return _in_one_pass(attn, x.contiguous(), shift=shift, masked=masked, norms=norms, mlp=mlp)
    if norms is None or mlp is None:
        return attend_in_bands(attn, x, shift=shift, masked=masked)
    after = nn.Sequential(norms[1], mlp)
    widest = mlp.fc1.out_features
    return attend_in_bands(attn, x, shift=shift, masked=masked, before=norms[0], after=after, widest=widest)


def _suits(attn: WindowAttention, x: Tensor) -> bool:
    """Whether the kernels take it: channels and tokens fill vectors."""
    channels, tokens = x.shape[-1], attn.window**2
    return (
        kernels_take(x, attn.qkv.weight)
        and (channels % 16, channels // attn.num_heads % 8, tokens % 16) == (0, 0, 0)
        and attn.window <= MAX_WINDOW
    )


def _in_one_pass(
    attn: WindowAttention,
    x: Tensor,
    *,
    shift: int,
    masked: float,
    norms: tuple[nn.LayerNorm, nn.LayerNorm] | None,
    mlp: MLP | None,
) -> Tensor:
    """`attend_fast` by the kernels; x is contiguous."""
    from codecspec.runtime.layers import transformer_kernels as kernels

    out = torch.empty_like(x)
    tensors = {"x": x, "out": out, **_of_attention(attn, x, shift=shift, masked=masked)}
    numbers: dict[str, float] = {"hidden": 0, "heads": attn.num_heads, "shift": shift, **_windows(x, attn.window)}
    if norms is not None and mlp is not None:
        for i, norm in enumerate(norms, 1):
            tensors |= {f"gain_{i}": norm.weight, f"offset_{i}": norm.bias}
            numbers[f"epsilon_{i}"] = norm.eps
        tensors |= {"fc1": packed(mlp.fc1.weight), "fc1_bias": mlp.fc1.bias}
        tensors |= {"fc2": packed(mlp.fc2.weight), "fc2_bias": mlp.fc2.bias}
        numbers["hidden"] = mlp.fc1.out_features
    numbers |= _places(x.shape[-1], int(numbers["hidden"]), attn, int(numbers["per_task"]))
    threads = torch.get_num_threads()
    tensors["scratch"] = x.new_empty((threads * int(numbers["scratch_size"]) + ALIGNED) // x.element_size())
    addresses = {name: tensor.data_ptr() for name, tensor in tensors.items()}
    addresses["scratch"] += -addresses["scratch"] % ALIGNED
    run_on_all_threads(kernels.block.address, job(kernels.JOB, **addresses, **numbers))
    return out


def _of_attention(attn: WindowAttention, x: Tensor, *, shift: int, masked: float) -> dict[str, Tensor]:
    """What the kernel reads of the attention. It takes powers of 2, not of e, so all scores are log2(e) as large."""
    channels = x.shape[-1]
    scale = math.log2(math.e) * (channels // attn.num_heads) ** -0.5
    qkv_bias = attn.qkv.bias.detach().clone()
    qkv_bias[:channels] *= scale
    tensors = {
        "qkv": packed(attn.qkv.weight, scaled=channels, scale=scale),
        "qkv_bias": qkv_bias,
        "bias": attn.kept_bias() * math.log2(math.e),
        "proj": packed(attn.proj.weight),
        "proj_bias": attn.proj.bias,
    }
    if shift:
        w = attn.window
        tensors["masks"] = shift_mask(2 * w, 2 * w, w, shift, masked * math.log2(math.e), like=x)
    return tensors


def _windows(x: Tensor, window: int) -> dict[str, int]:
    """The map's sizes, its windows, and how many of those a thread takes at a time."""
    images, height, width, channels = x.shape
    down, across = -(-height // window), -(-width // window)
    windows = images * down * across
    share = -(-windows // (TASKS_PER_THREAD * torch.get_num_threads()))
    return {
        "height": height,
        "width": width,
        "channels": channels,
        "window": window,
        "down": down,
        "across": across,
        "windows": windows,
        "per_task": min(share, max(1, POSITIONS // window**2)),
    }


def _places(channels: int, hidden: int, attn: WindowAttention, per_task: int) -> dict[str, int]:
    """Where in a thread's scratch lies what, in bytes, and how large it is."""
    from codecspec.runtime.layers.transformer_kernels import CHUNK, PADDING

    tokens, row = attn.window**2, 4 * channels + PADDING
    positions = per_task * tokens
    sizes = {
        "rows_at": positions * row,
        "qkv_at": positions * (12 * channels + PADDING),
        "sums_at": positions * row,
        "hidden_at": CHUNK * (4 * hidden + PADDING),
        "keys_at": channels // attn.num_heads * tokens * 4,
        "scores_at": tokens * tokens * 4,
        "shares_at": tokens * 4,
        "places_at": positions * 8,
    }
    places, end = {}, 0
    for name, size in sizes.items():
        places[name] = end
        end += size + -size % ALIGNED
    return {**places, "scratch_size": end}
