"""Multi-head attention inside windows, with a table of relative position biases (Liu et al., Swin, ICCV 2021).

Shapes: N images, C channels, H x W positions, w the window's side, h heads, d = C / h.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SWIN_MASKED = -100.0
"""Added to the attention between regions that a cyclic shift brought together; finite, as in Swin, STF and WACNN."""


def relative_position_index(window: int, device: torch.device | None = None) -> Tensor:
    """(w^2, w^2) int64: the row of the bias table for each pair (query, key) of positions in a window.

    Row (dy + w-1) * (2w-1) + (dx + w-1), dy and dx the query's position less the key's.
    """
    axis = torch.arange(window, device=device)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    y, x = y.flatten(), x.flatten()
    dy = y[:, None] - y[None, :] + window - 1
    dx = x[:, None] - x[None, :] + window - 1
    return dy * (2 * window - 1) + dx


def shift_mask(height: int, width: int, window: int, shift: int, masked: float, like: Tensor) -> Tensor:
    """(windows, w^2, w^2): 0 between positions of one region, `masked` between regions, after a cyclic shift.

    `height` and `width` are multiples of `window`; dtype and device are those of `like`.
    """

    def regions(size: int) -> Tensor:
        region = torch.zeros(size, device=like.device)
        region[size - window : size - shift] = 1
        region[size - shift :] = 2
        return region

    region = 3 * regions(height)[:, None] + regions(width)[None, :]
    windows = region.view(height // window, window, width // window, window).transpose(1, 2).reshape(-1, window**2)
    apart = windows[:, None, :] != windows[:, :, None]
    return torch.zeros(apart.shape, dtype=like.dtype, device=like.device).masked_fill_(apart, masked)


class WindowAttention(nn.Module):
    """Attention of every position to those of its window.

        qkv (w^2 tokens per window) ──► softmax(q k' / sqrt(d) + bias + mask) v ──► proj

    Args:
        channels: C, a multiple of `num_heads`.
        num_heads: h.
        window: w.
    """

    def __init__(self, channels: int, num_heads: int, window: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.window = window
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, num_heads))
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def bias(self) -> Tensor:
        """(h, w^2, w^2): the learned bias of each head for each pair of positions."""
        index = relative_position_index(self.window, self.relative_position_bias_table.device)
        tokens = self.window**2
        return self.relative_position_bias_table[index.flatten()].view(tokens, tokens, -1).permute(2, 0, 1)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Attend within windows.

        Args:
            x: (N * windows, w^2, C).
            mask: (windows, w^2, w^2), added to every head's attention, or None.

        Returns:
            (N * windows, w^2, C).
        """
        batch, tokens, channels = x.shape
        qkv = self.qkv(x).view(batch, tokens, 3, self.num_heads, channels // self.num_heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        attention = (q * (channels // self.num_heads) ** -0.5) @ k.transpose(-2, -1) + self.bias()
        if mask is not None:
            windows = mask.shape[0]
            attention = attention.view(-1, windows, self.num_heads, tokens, tokens) + mask[:, None]
            attention = attention.view(-1, self.num_heads, tokens, tokens)
        out = attention.softmax(dim=-1) @ v
        return self.proj(out.transpose(1, 2).reshape(batch, tokens, channels))


def attend_in_windows(attn: WindowAttention, x: Tensor, *, shift: int, masked: float) -> Tensor:
    """Attention over (optionally shifted) windows of a feature map.

    Maps whose sides are no multiples of the window are padded with zeros at right and bottom, attended with the
    padding, and cropped.

    Args:
        attn: the attention.
        x: (N, H, W, C).
        shift: cyclic shift in positions; positions that were not neighbours before it do not see each other.
        masked: what is added to the attention between those.

    Returns:
        (N, H, W, C).
    """
    n, height, width, c = x.shape
    w = attn.window
    right, bottom = -width % w, -height % w
    padded = F.pad(x, (0, 0, 0, right, 0, bottom)) if right or bottom else x
    tall, wide = height + bottom, width + right
    mask = None
    if shift:
        padded = padded.roll((-shift, -shift), (1, 2))
        mask = shift_mask(tall, wide, w, shift, masked, like=x)
    rows, columns = tall // w, wide // w
    windows = padded.reshape(n, rows, w, columns, w, c).transpose(2, 3).reshape(-1, w * w, c)
    attended = attn(windows, mask)
    out = attended.view(n, rows, columns, w, w, c).transpose(2, 3).reshape(n, tall, wide, c)
    if shift:
        out = out.roll((shift, shift), (1, 2))
    return out[:, :height, :width]


class WindowedAttention(nn.Module):
    """x + attention(x) over (optionally shifted) windows of a feature map; no norm, no MLP (WACNN's).

    Args:
        channels: C.
        num_heads: attention heads.
        window: side of a window in positions.
        shift: cyclic shift in positions; see `attend_in_windows`.
    """

    def __init__(self, channels: int, *, num_heads: int, window: int, shift: int) -> None:
        super().__init__()
        self.shift = shift
        self.attn = WindowAttention(channels, num_heads, window)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        attended = attend_in_windows(self.attn, x.permute(0, 2, 3, 1), shift=self.shift, masked=SWIN_MASKED)
        return x + attended.permute(0, 3, 1, 2)
