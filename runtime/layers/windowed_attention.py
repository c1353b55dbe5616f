"""Attention in windows around a skip, without norm and MLP (Zou, Song, Zhang, CVPR 2022, section 3.2)."""

from __future__ import annotations

from torch import Tensor, nn

from codecspec.runtime.layers.transformer_pass import attend_fast
from codecspec.runtime.layers.window_attention import SWIN_MASKED, WindowAttention, attend_in_windows


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
        last = x.permute(0, 2, 3, 1)
        if self.attn.goes_fast_on_cpu(x):
            return attend_fast(self.attn, last, shift=self.shift, masked=SWIN_MASKED).permute(0, 3, 1, 2)
        return x + attend_in_windows(self.attn, last, shift=self.shift, masked=SWIN_MASKED).permute(0, 3, 1, 2)
