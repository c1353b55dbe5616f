"""Multi-head attention inside windows, with a table of relative position biases (Liu et al., Swin, ICCV 2021).

Shapes: N images, C channels, H x W positions, w the window's side, h heads, d = C / h.
"""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from codecspec.runtime.layers.two_ways import TwoWays

SWIN_MASKED = -100.0
"""Added to the attention between regions that a cyclic shift brought together; finite, as in Swin, STF and WACNN."""
SCORES = 2**20
"""Scores of one head that the fast way holds at once: 4 MB in float32, which caches hold."""


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


@lru_cache(maxsize=64)
def edge_masks(window: int, shift: int, masked: float, dtype: torch.dtype, device: torch.device) -> list[Tensor]:
    """The masks (w^2, w^2) of the windows that a shift made of several regions, whatever the map's size: of those in
    the last column, of those in the last row, and what the last one of all has beside the first of these; all other
    windows are of one region."""
    like = torch.zeros((), dtype=dtype, device=device)
    _, right, bottom, corner = shift_mask(2 * window, 2 * window, window, shift, masked, like)
    return [right, bottom, corner.masked_fill(right != 0, 0)]


class WindowAttention(TwoWays):
    """Attention of every position to those of its window.

        qkv (w^2 tokens per window) ──► softmax(q k' / sqrt(d) + bias + mask) v ──► proj

    The fast way (`attend`) goes head by head over a few windows at a time. Nothing is copied to bring heads together,
    scale and bias come with the product, the mask is added to the windows at the edges alone, and the scores stay in
    the caches. On the CPU this is faster than `scaled_dot_product_attention`, whose blocks are made for longer
    sequences and wider heads (docs/performance.md has the figures); elsewhere the plain way is taken.

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
        self._kept_bias: tuple[Tensor, Tensor] | None = None

    def bias(self) -> Tensor:
        """(h, w^2, w^2): the learned bias of each head for each pair of positions."""
        index = relative_position_index(self.window, self.relative_position_bias_table.device)
        tokens = self.window**2
        return self.relative_position_bias_table[index.flatten()].view(tokens, tokens, -1).permute(2, 0, 1)

    def kept_bias(self) -> Tensor:
        """`bias`, made again when its table changed: a copy of the table, some kB, is kept and compared."""
        table = self.relative_position_bias_table.detach()
        kept = self._kept_bias
        if kept is None or kept[0].dtype != table.dtype or kept[0].device != table.device or not kept[0].equal(table):
            kept = self._kept_bias = (table.clone(), self.bias().detach().contiguous())
        return kept[1]

    def attend(self, x: Tensor, *, columns: int, rows: int, shift: int, masked: float) -> Tensor:
        """Attend within the windows of whole maps, without gradients.

        Args:
            x: (N * rows * columns, w^2, C), window by window, row by row.
            columns: windows beside each other.
            rows: windows above each other.
            shift: cyclic shift of the map in positions, which says what the windows at the edges are made of.
            masked: added to the attention between regions.

        Returns:
            (N * rows * columns, w^2, C).
        """
        batch, tokens, channels = x.shape
        width = channels // self.num_heads
        qkv = self.qkv(x).view(batch, tokens, 3, self.num_heads, width)
        attended = x.new_empty(batch, tokens, self.num_heads, width)
        bias = self.kept_bias()
        masks = edge_masks(self.window, shift, masked, x.dtype, x.device) if shift else None
        rows_at_once = max(1, SCORES // (columns * tokens**2))
        for row in range(0, batch // columns, rows_at_once):
            part = slice(row * columns, (row + rows_at_once) * columns)
            for head in range(self.num_heads):
                q, k, v = qkv[part, :, :, head].unbind(2)
                scores = torch.baddbmm(bias[head].expand(len(q), -1, -1), q, k.transpose(1, 2), alpha=width**-0.5)
                if masks is not None:
                    _mask_edges(scores.view(-1, columns, tokens, tokens), masks, row, rows)
                attended[part, :, head] = scores.softmax(dim=-1) @ v
        return self.proj(attended.view(batch, tokens, channels))

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


def _mask_edges(scores: Tensor, masks: list[Tensor], row: int, rows: int) -> None:
    """Add the masks to scores (R, columns, w^2, w^2) of R rows of windows in a row, the first of them `row` of maps of
    `rows` each, one after another."""
    right, bottom, corner = masks
    last_rows = scores[(rows - 1 - row) % rows :: rows]
    scores[:, -1] += right
    last_rows[:, :-1] += bottom
    last_rows[:, -1] += corner


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
    if shift:
        padded = padded.roll((-shift, -shift), (1, 2))
    rows, columns = tall // w, wide // w
    windows = padded.reshape(n, rows, w, columns, w, c).transpose(2, 3).reshape(-1, w * w, c)
    if attn.goes_fast() and x.device.type == "cpu":
        attended = attn.attend(windows, columns=columns, rows=rows, shift=shift, masked=masked)
    else:
        mask = shift_mask(tall, wide, w, shift, masked, like=x) if shift else None
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
