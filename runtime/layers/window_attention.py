"""Multi-head attention inside windows, with a table of relative position biases (Liu et al., Swin, ICCV 2021).

Shapes: N images, C channels, H x W positions, w the window's side, h heads, d = C / h.
"""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from codecspec.runtime.layers.bands import bands
from codecspec.runtime.layers.two_ways import TwoWays

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

    The fast way (`attend_in_bands`) takes a few rows of windows at a time and goes head by head. Nothing is copied to
    bring heads together, scale and bias come with the product, the mask is added to the windows at the edges alone, and
    all in between stays in the caches. On the CPU this is faster than `scaled_dot_product_attention`, whose blocks are
    made for longer sequences and wider heads (docs/performance.md has the figures); elsewhere the plain way is taken.

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

    def attend(self, x: Tensor, *, columns: int, last: bool, shift: int, masked: float) -> Tensor:
        """Attend within the windows of a band of a map, without gradients.

        Args:
            x: (rows * columns, w^2, C), window by window, row by row.
            columns: windows beside each other.
            last: whether the last row of windows of the band is the last of its map.
            shift: cyclic shift of the map in positions, which says what the windows at the edges are made of.
            masked: added to the attention between regions.

        Returns:
            (rows * columns, w^2, C).
        """
        batch, tokens, channels = x.shape
        width = channels // self.num_heads
        qkv = self.qkv(x).view(batch, tokens, 3, self.num_heads, width)
        attended = x.new_empty(batch, tokens, self.num_heads, width)
        bias = self.kept_bias()
        masks = edge_masks(self.window, shift, masked, x.dtype, x.device) if shift else None
        for head in range(self.num_heads):
            q, k, v = qkv[:, :, :, head].unbind(2)
            scores = torch.baddbmm(bias[head].expand(batch, -1, -1), q, k.transpose(1, 2), alpha=width**-0.5)
            if masks is not None:
                _mask_edges(scores.view(-1, columns, tokens, tokens), masks, last=last)
            attended[:, :, head] = scores.softmax(dim=-1) @ v
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


def _mask_edges(scores: Tensor, masks: list[Tensor], *, last: bool) -> None:
    """Add the masks to scores (rows, columns, w^2, w^2) of whole rows of windows, the last of them the map's last or
    not."""
    right, bottom, corner = masks
    scores[:, -1] += right
    if last:
        scores[-1, :-1] += bottom
        scores[-1, -1] += corner


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
    mask = shift_mask(tall, wide, w, shift, masked, like=x) if shift else None
    out = attn(windows, mask).view(n, rows, columns, w, w, c).transpose(2, 3).reshape(n, tall, wide, c)
    if shift:
        out = out.roll((shift, shift), (1, 2))
    return out[:, :height, :width]


def attend_in_bands(
    attn: WindowAttention,
    x: Tensor,
    *,
    shift: int,
    masked: float,
    before: nn.Module | None = None,
    after: nn.Module | None = None,
    widest: int = 0,
) -> Tensor:
    """x + attention(before(x)) as u, then u + after(u), a few rows of windows at a time; without gradients.

    Args:
        attn: the attention.
        x: (N, H, W, C).
        shift: as in `attend_in_windows`.
        masked: as there.
        before: of every position by itself, (.., C) -> (.., C); the padding is put in behind it.
        after: likewise.
        widest: channels of the widest map inside `after`.

    Returns:
        (N, H, W, C).
    """
    w = attn.window
    height, wide, channels = x.shape[1:]
    tall, columns = height + -height % w, -(-wide // w)
    out = torch.empty_like(x, memory_format=torch.contiguous_format)
    for image, made in zip(x, out, strict=True):
        for first, last in bands(tall // w, w * wide * max(widest, 3 * channels)):
            # The shifted map has the rows from `shift` on, then the padding, then those before.
            start, stop = first * w + shift, last * w + shift
            runs = slice(start, min(stop, height)), slice(0, min(stop - tall, height))
            pieces = [rows for rows in runs if rows.start < rows.stop]
            band = x.new_zeros(stop - start, columns * w, channels)
            for rows in pieces:
                at = (rows.start - start) % tall
                band[at : at + rows.stop - rows.start, :wide] = before(image[rows]) if before else image[rows]
            windows = band.roll(-shift, 1).view(-1, w, columns, w, channels).transpose(1, 2)
            windows = windows.reshape(-1, w * w, channels)
            windows = attn.attend(windows, columns=columns, last=last * w == tall, shift=shift, masked=masked)
            windows = windows.view(-1, columns, w, w, channels).transpose(1, 2)
            band = windows.reshape(-1, columns * w, channels).roll(shift, 1)[:, :wide]
            for rows in pieces:
                at = (rows.start - start) % tall
                u = torch.add(band[at : at + rows.stop - rows.start], image[rows], out=made[rows])
                if after:
                    u += after(u)
    return out
