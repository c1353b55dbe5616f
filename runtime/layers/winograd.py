"""3x3 convolutions with 2.25 times fewer multiplications: F(2x2, 3x3) of Lavin & Gray, CVPR 2016.

    maps ─► tiles ──┐
                    ├─► 16 matrix products ─► sums ─► maps
    weight ► taps ──┘

Each 2x2 positions of the output are made of a tile of 4x4 positions of the input, taken into another basis; there the
convolution is a product for each of the 16 elements of a tile. What a map's tiles cost is paid once where many
convolutions see the map. In float32 the rounding errors are about 1.5 times those of the plain convolution.

Here maps are (N, H, W, C): adding and subtracting positions then runs over channels, which lie together.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

ELEMENTS = 16
"""Of a tile."""
MIN_WEIGHTS = 128 * 128
"""Fewer pairs of channels do not pay for the tiles."""
MIN_POSITIONS = 512
"""Fewer positions do not pay for the taps."""
STRIP_BYTES = 32 * 2**20
"""Tiles of so many bytes are made at a time, so that large maps take no more memory than small ones."""
_TAPS = torch.tensor([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], dtype=torch.float64)


def suits(conv: nn.Module, x: Tensor) -> bool:
    """Whether `conv`, given maps of x's batch, size, type and device, is such a convolution, and is faster this way."""
    return (
        isinstance(conv, nn.Conv2d)
        and (conv.kernel_size, conv.stride, conv.padding, conv.dilation) == ((3, 3), (1, 1), (1, 1), (1, 1))
        and (conv.groups, conv.padding_mode) == (1, "zeros")
        and conv.in_channels * conv.out_channels >= MIN_WEIGHTS
        and x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.float64)
        and x.shape[0] * x.shape[-2] * x.shape[-1] >= MIN_POSITIONS
    )


def convolved(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """(N, H, W, C) -> what `conv` makes of it, (N, H, W, out)."""
    height, width, channels = x.shape[1:]
    taps, padded = taps_of(conv.weight), padded_maps(x)
    across, down = tile_counts(height, width)[::-1]
    rows = max(1, STRIP_BYTES // (ELEMENTS * len(x) * across * channels * x.element_size()))
    strips = []
    for row in range(0, down, rows):
        size = (len(x), min(rows, down - row), across)
        tiles = x.new_empty(4, 4, *size, channels)
        write_tiles(padded[:, 2 * row :], tiles)
        strips.append(maps_of(torch.bmm(tiles.view(ELEMENTS, -1, channels), taps), conv.bias, size))
    made = strips[0] if len(strips) == 1 else torch.cat(strips, dim=1)
    return made[:, :height, :width]


def tile_counts(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of tiles."""
    return (height + 1) // 2, (width + 1) // 2


def padded_maps(x: Tensor) -> Tensor:
    """(N, H, W, C), of any strides -> with zeros around, and behind up to an even height and width; contiguous."""
    n, height, width, channels = x.shape
    padded = x.new_zeros(n, height + height % 2 + 2, width + width % 2 + 2, channels)
    padded[:, 1 : height + 1, 1 : width + 1] = x
    return padded


def write_tiles(padded: Tensor, out: Tensor) -> None:
    """Take padded maps (N, 2h + 2, 2w + 2, C) to tiles (4, 4, N, h, w, C): columns, then rows of a tile."""
    height, width = out.shape[3:5]
    rows = padded.new_empty(4, len(padded), height, *padded.shape[2:])
    _differences([padded[:, i : i + 2 * height : 2] for i in range(4)], rows)
    _differences([rows[:, :, :, i : i + 2 * width : 2] for i in range(4)], out)


def taps_of(weight: Tensor) -> Tensor:
    """(out, C, 3, 3) -> (16, C, out), the matrices that tiles are multiplied by."""
    out, channels = weight.shape[:2]
    basis = torch.einsum("ay,bx->bayx", _TAPS, _TAPS).reshape(ELEMENTS, 9).to(weight)
    return (basis @ weight.reshape(out * channels, 9).T).view(ELEMENTS, out, channels).transpose(1, 2)


def maps_of(products: Tensor, bias: Tensor | None, size: tuple[int, int, int]) -> Tensor:
    """(16, N * h * w, C) of `size` (N, h, w) -> (N, 2h, 2w, C); takes the products as a place to work."""
    n, height, width = size
    if bias is not None:
        products[5] += bias  # the element that all four positions add
    elements = products.view(4, 4, n, height, width, -1)
    columns = elements.new_empty(2, *elements.shape[1:])
    _sums(elements, columns[0], columns[1])
    out = elements.new_empty(n, height, 2, width, 2, elements.shape[-1])
    for j in range(2):
        _sums(columns[j], out[:, :, 0, :, j], out[:, :, 1, :, j])
    return out.view(n, 2 * height, 2 * width, -1)


def _differences(d: Sequence[Tensor], out: Tensor) -> None:
    torch.sub(d[0], d[2], out=out[0])
    torch.add(d[1], d[2], out=out[1])
    torch.sub(d[2], d[1], out=out[2])
    torch.sub(d[1], d[3], out=out[3])


def _sums(m: Tensor, first: Tensor, second: Tensor) -> None:
    torch.add(m[0], m[1], out=first).add_(m[2])
    torch.sub(m[1], m[2], out=second).sub_(m[3])
