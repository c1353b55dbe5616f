"""Maps by bands of rows, so that what a block computes in between stays small.

Small means: in the caches, and in memory that the C library hands out again. A map of more than 32 MB it maps anew each
time (glibc), and the kernel clears its pages one by one, which takes longer than most of what is done to them.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch.nn.functional as F
from torch import Tensor, nn

from codecspec.runtime.layers import winograd
from codecspec.runtime.layers.pointwise import bias_of

BAND = 2**21
"""Elements of the widest map in between that are held at once: 8 MB in float32."""


def bands(height: int, elements: int, *, multiple: int = 1) -> Iterator[tuple[int, int]]:
    """(first, last + 1) rows of the bands of a map, `elements` in each row of the widest map in between.

    All but the last have a multiple of `multiple` rows.
    """
    rows = max(1, BAND // elements)
    rows = -(-height // -(-height // rows))
    rows = -(-rows // multiple) * multiple
    for first in range(0, height, rows):
        yield first, min(first + rows, height)


def reached(x: Tensor, first: int, last: int) -> Tensor:
    """The rows of x (N, C, H, W) that a kernel of side 3 sees from the rows [first, last)."""
    return x[:, :, max(first - 1, 0) : last + 1]


def conv_band(conv: nn.Conv2d, x: Tensor, *, first: int, last: int, height: int) -> Tensor:
    """The rows [first, last) of a 3x3 convolution, padded by 1, of a map of `height` rows.

    Args:
        conv: the convolution, of stride 1.
        x: (N, C, rows, W), the rows that `reached` gives.
    """
    above, below = int(first == 0), int(last == height)
    if above or below:
        x = F.pad(x, (0, 0, above, below))
    return F.conv2d(x, conv.weight, conv.bias, padding=(0, 1), groups=conv.groups)


def rectified_band(conv: nn.Conv2d, x: Tensor, *, first: int, last: int, height: int) -> Tensor:
    """As `conv_band`, with a ReLU behind; faster where the convolution is large."""
    if winograd.suits(conv, x):
        return winograd.convolved_by(conv.weight, bias_of(conv), x, rows=last - first, above=first == 0, slope=0.0)
    return conv_band(conv, x, first=first, last=last, height=height).relu_()
