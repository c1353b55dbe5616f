"""Images of any size: padded to what the strides need, and cropped back."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def padded_size(height: int, width: int, multiple: int) -> tuple[int, int]:
    """The smallest (height, width) of multiples that holds an image, in pixels."""
    return height + -height % multiple, width + -width % multiple


def pad_to_multiple(x: Tensor, multiple: int) -> Tensor:
    """(N, C, H, W) -> the same with its last row and column repeated until both sides are multiples."""
    height, width = x.shape[-2:]
    tall, wide = padded_size(height, width, multiple)
    if (tall, wide) == (height, width):
        return x
    return F.pad(x, (0, wide - width, 0, tall - height), mode="replicate")
