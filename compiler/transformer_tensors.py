"""Tensors and work of the transformer parts that several kinds of node share."""

from __future__ import annotations

import math
from dataclasses import dataclass

from codecspec.compiler.kind import conv_tensors, linear_tensors
from codecspec.compiler.plan import TensorPlan, join
from codecspec.compiler.reading import Told, View


def attention_tensors(prefix: str, channels: int, heads: int, window: int) -> dict[str, TensorPlan]:
    """A `WindowAttention`: bias table, qkv, proj."""
    return {
        join(prefix, "relative_position_bias_table"): TensorPlan(((2 * window - 1) ** 2, heads)),
        **linear_tensors(channels, 3 * channels, join(prefix, "qkv")),
        **linear_tensors(channels, channels, join(prefix, "proj")),
    }


@dataclass(frozen=True, slots=True)
class AttentionRead:
    """What the tensors of a `WindowAttention` tell: all but its shift."""

    channels: int
    heads: Told
    head_dim: Told
    window: Told


def read_attention(view: View, prefix: str) -> AttentionRead | None:
    """The attention at `prefix`: its heads and window from the bias table, its channels from qkv."""
    name = join(prefix, "relative_position_bias_table")
    table, qkv = view.dims(name, 2), view.dims(join(prefix, "qkv.weight"), 2)
    if not table or not qkv:
        return None
    rows, heads = table
    channels = qkv[1]
    window = (math.isqrt(rows) + 1) // 2
    return AttentionRead(
        channels, view.told(heads, name), view.told(max(1, channels // heads), name), view.told(window, name)
    )


def attention_macs(channels: int, window: int) -> int:
    """Multiply-accumulates of a `WindowAttention` per position."""
    return 4 * channels**2 + 2 * channels * window**2


def attention_held(channels: int, heads: int, window: int, shift: int) -> int:
    """Numbers that windowed attention holds at once at most, beside its input, per position: queries, keys, values and
    their copies, and `heads` rows of window^2 scores; where the windows are shifted, the shifted input and a mask."""
    scores = heads * window**2
    shifted = channels + window**2 if shift else 0
    return max(7 * channels + scores, 6 * channels + 2 * scores) + shifted


def transformer_tensors(
    prefix: str, channels: int, heads: int, window: int, mlp_ratio: int = 4
) -> dict[str, TensorPlan]:
    """A `TransformerBlock`: norm1, attn, norm2, mlp."""
    hidden = mlp_ratio * channels
    return {
        **norm_tensors(join(prefix, "norm1"), channels),
        **attention_tensors(join(prefix, "attn"), channels, heads, window),
        **norm_tensors(join(prefix, "norm2"), channels),
        **linear_tensors(channels, hidden, join(prefix, "mlp.fc1")),
        **linear_tensors(hidden, channels, join(prefix, "mlp.fc2")),
    }


def transformer_macs(channels: int, window: int, mlp_ratio: int = 4) -> int:
    """Multiply-accumulates of a `TransformerBlock` per position."""
    return attention_macs(channels, window) + 2 * mlp_ratio * channels**2


def transformer_held(channels: int, heads: int, window: int, shift: int, mlp_ratio: int = 4) -> int:
    """Numbers that a `TransformerBlock` holds at once at most, per position: in its attention or in its MLP."""
    attention = 2 * channels + attention_held(channels, heads, window, shift)
    return max(attention, 3 * channels + 2 * mlp_ratio * channels)


def norm_tensors(prefix: str, channels: int) -> dict[str, TensorPlan]:
    """Weight and bias of a layer norm."""
    return {join(prefix, "weight"): TensorPlan((channels,)), join(prefix, "bias"): TensorPlan((channels,))}


def residual_unit_tensors(prefix: str, channels: int) -> dict[str, TensorPlan]:
    """A residual unit: 1x1 to half the channels, 3x3, 1x1 back, under `conv.0`, `conv.2`, `conv.4`."""
    half = channels // 2
    return {
        **conv_tensors(channels, half, 1, join(prefix, "conv.0")),
        **conv_tensors(half, half, 3, join(prefix, "conv.2")),
        **conv_tensors(half, channels, 1, join(prefix, "conv.4")),
    }


def residual_unit_macs(channels: int) -> int:
    """Multiply-accumulates of a residual unit per position."""
    half = channels // 2
    return 2 * channels * half + 9 * half**2
