"""Swin's transformer block: attention in windows and an MLP, each behind a norm and around a skip (Liu et al., Swin,
ICCV 2021, section 3.2)."""

from __future__ import annotations

from torch import Tensor, nn

from codecspec.runtime.layers.drop_path import DropPath
from codecspec.runtime.layers.mlp import MLP
from codecspec.runtime.layers.transformer_pass import attend_fast
from codecspec.runtime.layers.two_ways import TwoWays
from codecspec.runtime.layers.window_attention import WindowAttention, attend_in_windows


class TransformerBlock(TwoWays):
    """x + attention(norm1(x)), then + MLP(norm2(.)).

    Maps whose sides are no multiples of the window are padded with zeros at right and bottom, after `norm1`; the
    padding is attended, unmasked, and cropped.

    Args:
        channels: C, a multiple of `num_heads`.
        num_heads: attention heads.
        window: side of a window in positions.
        shift: cyclic shift of the windows in positions.
        masked: added to the attention between regions that the shift brought together: finite (-100, Swin and STF)
            or -inf (TCM).
        mlp_ratio: hidden channels of the MLP per channel.
        drop_path: probability that a branch is skipped for an image in training.
    """

    def __init__(
        self,
        channels: int,
        *,
        num_heads: int,
        window: int,
        shift: int,
        masked: float,
        mlp_ratio: int = 4,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        self.window = window
        self.shift = shift
        self.masked = masked
        self.norm1 = nn.LayerNorm(channels)
        self.attn = WindowAttention(channels, num_heads, window)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = MLP(channels, mlp_ratio * channels)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        x = x.permute(0, 2, 3, 1)
        if self.goes_fast_on_cpu(x) and not self.training:
            return self._fast(x).permute(0, 3, 1, 2)
        x = x + self.drop_path(attend_in_windows(self.attn, self.norm1(x), shift=self.shift, masked=self.masked))
        x = x + self.drop_path(self.mlp(self.norm2(x)))
        return x.permute(0, 3, 1, 2)

    def _fast(self, x: Tensor) -> Tensor:
        """(N, H, W, C) -> (N, H, W, C); nothing is dropped."""
        norms = self.norm1, self.norm2
        return attend_fast(self.attn, x, shift=self.shift, masked=self.masked, norms=norms, mlp=self.mlp)
