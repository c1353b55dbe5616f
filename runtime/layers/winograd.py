"""Convolutions with up to four times fewer multiplications: F(4x4, 3x3) of Lavin & Gray, CVPR 2016, on the CPU.

    maps ─► tiles of 6x6 ─┐
                          ├─► 36 matrix products ─► tiles of 4x4 ─► maps
    weight ───► taps ─────┘

Each 4x4 positions of the output are made of 6x6 positions of the input, taken into another basis; there the convolution
is a product for each of the 36 elements of a tile, where it was one for each of the 9 taps and 16 positions. Rounding
errors are about twice those of the plain convolution.

What has a stride comes down to it. Of a convolution of stride 2 each phase of its input, the positions that differ by
multiples of 2, is a source with taps of its own, and the sum over sources is what is asked for. Of a transposed one
each phase of its output is a group with taps of its own. Phases are views, so nothing is copied for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from codecspec.runtime.layers.packed_weights import PANEL
from codecspec.runtime.layers.pointwise import bias_of
from codecspec.runtime.machine_code import kernels_take
from codecspec.runtime.openmp import run_on_all_threads

Convolution = nn.Conv2d | nn.ConvTranspose2d
FILLED = 0.7
"""Share of the channels of the output that were asked for, at least, and of those of the input that are there; the
others fill up vectors."""
MIN_WEIGHTS = 32 * 32
"""Fewer pairs of channels do not pay for the tiles."""
MIN_POSITIONS = 512
"""Fewer positions of the output do not pay for the taps."""
BLOCK_BYTES = 2**22
"""Of the elements and products that a thread works on at a time."""
TILE = 4
"""Side of the tiles of the output."""
KERNEL = 3
"""The side of the kernels that all others come down to."""
STRIDE = 2
"""The one stride other than 1 that is known here."""
PHASES = (0, 0), (0, 1), (1, 0), (1, 1)
"""Row and column, modulo STRIDE, of positions; in the order in which a pixel shuffle has its channels."""


@dataclass(frozen=True)
class Taps:
    """Nine taps of a kernel, for the positions -1, 0 and 1 beside the own, down and across.

    Args:
        weight: (out, C, k, k), of any strides.
        rows: the row of the kernel for each of the three; where the kernel has none, the tap is 0.
        columns: likewise.
    """

    weight: Tensor
    rows: Sequence[int] = (0, 1, 2)
    columns: Sequence[int] = (0, 1, 2)

    def there(self) -> list[bool]:
        """Which of the nine are there, row by row."""
        height, width = self.weight.shape[2:]
        return [0 <= row < height and 0 <= column < width for row in self.rows for column in self.columns]


@dataclass(frozen=True)
class Source:
    """What is read: maps (N, C, H, W), and the taps that each group has for them."""

    maps: Tensor
    taps: Sequence[Taps]


@dataclass(frozen=True)
class Group:
    """What is written: maps (N, out, H, W) of a bias (out) and the taps of all sources.

    `added`, of their shape, is added behind the activation, where it is given.
    """

    maps: Tensor
    bias: Tensor
    added: Tensor | None = None


def suits(conv: nn.Module, *maps: Tensor, groups: int = 1) -> bool:
    """Whether `conv`, given maps beside each other, is such a convolution, and is faster this way.

    With `groups` its output's channels are written to as many places.
    """
    if not (isinstance(conv, Convolution) and _is_known(conv) and conv.weight.dtype == maps[0].dtype):
        return False
    plain = isinstance(conv, nn.Conv2d) and conv.stride[0] == 1 and groups == 1
    positions = maps[0].shape[-2] * maps[0].shape[-1]
    if isinstance(conv, nn.Conv2d):
        positions //= conv.stride[0] ** 2
    whole = plain or all(each % PANEL == 0 for each in (conv.out_channels / groups, *(part.shape[1] for part in maps)))
    return whole and suits_sizes(conv.out_channels, *maps, positions=positions)


def suits_sizes(out: int, *maps: Tensor, positions: int | None = None) -> bool:
    """Whether it is faster this way to make `out` channels by a 3x3 convolution of maps beside each other, for as many
    positions as they have if not said otherwise."""
    x, channels = maps[0], [part.shape[1] for part in maps]
    return (
        kernels_take(x)
        and sum(channels) >= FILLED * sum(map(_whole, channels))
        and out >= FILLED * _whole(out)
        and sum(channels) * out >= MIN_WEIGHTS
        and x.shape[0] * (positions or x.shape[-2] * x.shape[-1]) >= MIN_POSITIONS
    )


def convolved(conv: Convolution, *maps: Tensor, slope: float = 1.0, added: Tensor | None = None) -> Tensor:
    """What `conv` makes of maps beside each other, with what follows it; without gradients.

    Args:
        conv: a convolution that `suits`.
        maps: (N, C, H, W) each; more than one only for a convolution of stride 1.
        slope: what values below 0 are multiplied by: 0 for ReLU, that of a leaky ReLU, 1 for no activation.
        added: added behind that, of the output's shape.

    Returns:
        (N, out, H / stride, W / stride), or (N, out, stride * H, stride * W) of a transposed one; the channels of a
        position lie together.
    """
    n, _, height, width = maps[0].shape
    if isinstance(conv, nn.ConvTranspose2d):
        out = _empty(n, conv.out_channels, STRIDE * height, STRIDE * width)
        taps = [Taps(conv.weight.transpose(0, 1), *_pick(conv, -STRIDE, phase)) for phase in PHASES]
        _run([Source(maps[0], taps)], _groups(out, [bias_of(conv)] * len(PHASES), added), slope)
        return out
    if conv.stride[0] == 1:
        return convolved_by(conv.weight, bias_of(conv), *maps, slope=slope, added=added)
    out = _empty(n, conv.out_channels, -(-height // STRIDE), -(-width // STRIDE))
    taps = [Taps(conv.weight, *_pick(conv, STRIDE, phase)) for phase in PHASES]
    sources = [Source(_phase(maps[0], phase), [own]) for phase, own in zip(PHASES, taps, strict=True)]
    _run(sources, [Group(out, bias_of(conv), added)], slope)
    return out


def convolved_by(
    weight: Tensor,
    bias: Tensor,
    *maps: Tensor,
    slope: float = 1.0,
    added: Tensor | None = None,
    rows: int | None = None,
    above: bool = True,
) -> Tensor:
    """The same for a convolution of stride 1, by its weight and bias; some rows of it, where not all of the maps' are
    there.

    Args:
        weight: (out, C, 3, 3).
        bias: (out).
        maps: see `convolved`.
        slope: see there.
        added: see there.
        rows: how many rows are asked for; as many as the maps have if None.
        above: whether the first row of the maps is the first one of all, and zeros are above; else it is the row before
            those that are asked for.

    Returns:
        (N, out, rows, W).
    """
    n, _, height, width = maps[0].shape
    wanted = len(weight)
    weights = [_filled(own, 1) for own in torch.split(weight, [part.shape[1] for part in maps], dim=1)]
    weights = [_filled(own, 0) for own in weights]
    out = _empty(n, _whole(wanted), rows or height, width)
    sources = [Source(_filled(part, 1), [Taps(own)]) for part, own in zip(maps, weights, strict=True)]
    group = Group(out, _filled(bias, 0), None if added is None else _filled(added, 1))
    _run(sources, [group], slope, above=above)
    return out[:, :wanted]


def convolved_and_shuffled(conv: nn.Conv2d, x: Tensor, *, slope: float = 1.0, added: Tensor | None = None) -> Tensor:
    """A convolution of stride 1 and a pixel shuffle by 2 behind it: (N, C, H, W) -> (N, out / 4, 2H, 2W).

    `slope` and `added` are as in `convolved`.
    """
    n, _, height, width = x.shape
    count = len(PHASES)
    out = _empty(n, conv.out_channels // count, STRIDE * height, STRIDE * width)
    taps = [Taps(conv.weight[k::count]) for k in range(count)]
    _run([Source(x, taps)], _groups(out, [bias_of(conv)[k::count] for k in range(count)], added), slope)
    return out


def _is_known(conv: Convolution) -> bool:
    """Whether its kernel is one of those above, padded by half of it."""
    kernel, stride = conv.kernel_size[0], conv.stride[0]
    known = {(3, 1), (5, 2)} if isinstance(conv, nn.Conv2d) else {(5, 2)}
    return (
        (kernel, stride) in known
        and conv.kernel_size == (kernel, kernel)
        and conv.stride == (stride, stride)
        and conv.padding == (kernel // 2, kernel // 2)
        and conv.dilation == (1, 1)
        and (conv.groups, conv.padding_mode) == (1, "zeros")
        and (isinstance(conv, nn.Conv2d) or conv.output_padding == (stride - 1, stride - 1))
    )


def _filled(x: Tensor, axis: int) -> Tensor:
    """x with an axis of channels filled up by zeros."""
    room = _whole(x.shape[axis]) - x.shape[axis]
    return F.pad(x, (0, 0) * (x.ndim - 1 - axis) + (0, room)) if room else x


def _whole(channels: int) -> int:
    """Channels, filled up."""
    return -(-channels // PANEL) * PANEL


def _empty(n: int, channels: int, height: int, width: int) -> Tensor:
    return torch.empty(n, channels, height, width, memory_format=torch.channels_last)


def _phase(maps: Tensor, phase: tuple[int, int]) -> Tensor:
    """The positions of a phase: every second row and column."""
    return maps[:, :, phase[0] :: STRIDE, phase[1] :: STRIDE]


def _groups(out: Tensor, biases: Sequence[Tensor], added: Tensor | None = None) -> list[Group]:
    """One group for each phase of the output."""
    return [
        Group(_phase(out, phase), bias, None if added is None else _phase(added, phase))
        for phase, bias in zip(PHASES, biases, strict=True)
    ]


def _pick(conv: Convolution, step: int, phase: tuple[int, int]) -> list[list[int]]:
    """Rows and columns of taps for a phase, of the input for step STRIDE, of the output for -STRIDE: there position m
    sees position m + d through tap k // 2 + phase + step * d."""
    middle = conv.kernel_size[0] // 2
    return [[middle + each + step * d for d in (-1, 0, 1)] for each in phase]


def _run(sources: Sequence[Source], groups: Sequence[Group], slope: float, *, above: bool = True) -> None:
    """Write to the groups' maps what the taps make of the sources' maps."""
    from codecspec.runtime.layers import winograd_kernels as kernels
    from codecspec.runtime.layers.product_kernels import TILE_ROWS

    maps = [_with_channels_together(source.maps) for source in sources]
    pairs = [taps for source in sources for taps in source.taps]
    elements = _elements_of(pairs)
    n, out_channels, height, width = groups[0].maps.shape
    down, across = -(-height // TILE), -(-width // TILE)
    most = max(part.shape[1] for part in maps)
    per_tile = kernels.ELEMENTS * (most + out_channels)
    block = _block(n * down * across, per_tile, TILE_ROWS)
    scratch = torch.empty(torch.get_num_threads(), block * per_tile + kernels.ELEMENTS * max(most, out_channels))
    slopes = torch.tensor([slope], dtype=torch.float32)
    arguments = [0, 0, scratch.data_ptr(), 4 * scratch.shape[1], n, down, across, block, int(above)]
    arguments += [slopes.data_ptr(), len(sources), len(groups), most, out_channels]
    for part in maps:
        arguments += [*_fields(part), *part.shape[2:], part.shape[1]]
    biases = [group.bias.contiguous() for group in groups]
    added = [None if group.added is None else _with_channels_together(group.added) for group in groups]
    for group, bias, other in zip(groups, biases, added, strict=True):
        behind = [0, 0, 0, 0] if other is None else _fields(other)
        arguments += [*_fields(group.maps), *group.maps.shape[2:], *behind, bias.data_ptr()]
    for taps, own in zip(pairs, elements, strict=True):
        arguments += [own.data_ptr(), _needless(taps)]
    run_on_all_threads(kernels.convolve.address, arguments)


def _block(tiles: int, per_tile: int, rows: int) -> int:
    """How many tiles a thread takes at a time: a multiple of `rows`, and none without work if there are enough."""
    fitting = BLOCK_BYTES // (4 * per_tile)
    each = -(-tiles // torch.get_num_threads())
    return max(1, min(fitting, each) // rows) * rows


def _with_channels_together(x: Tensor) -> Tensor:
    return x if x.stride(1) == 1 else x.contiguous(memory_format=torch.channels_last)


def _fields(maps: Tensor) -> list[int]:
    """MAPS, IMAGE, ROW, POSITION."""
    image, _, row, position = maps.stride()
    return [maps.data_ptr(), 4 * image, 4 * row, 4 * position]


def _needless(taps: Taps) -> int:
    """A bit for each element that is 0 as a whole row or column of taps is not there: the first and the last element
    of a row are the first and the last tap of it."""
    from codecspec.runtime.layers.winograd_kernels import SIDE

    there = taps.there()
    rows = {0: any(there[:3]), SIDE - 1: any(there[6:])}
    columns = {0: any(there[::3]), SIDE - 1: any(there[2::3])}
    return sum(
        1 << SIDE * i + j for i in range(SIDE) for j in range(SIDE) if not (rows.get(i, True) and columns.get(j, True))
    )


def _elements_of(pairs: Sequence[Taps]) -> list[Tensor]:
    """(36, out / PANEL, C, PANEL) of each, which tiles are multiplied by."""
    from codecspec.runtime.layers import winograd_kernels as kernels

    arguments, made = [0, len(pairs)], []
    for taps in pairs:
        out, channels = taps.weight.shape[:2]
        elements = torch.empty(kernels.ELEMENTS, out // PANEL, channels, PANEL)
        out_step, in_step, row, column = (4 * stride for stride in taps.weight.stride())
        between = [taps.rows[1] - taps.rows[0], taps.columns[1] - taps.columns[0]]
        first = taps.weight.data_ptr() + taps.rows[0] * row + taps.columns[0] * column
        there = sum(1 << k for k, has in enumerate(taps.there()) if has)
        arguments += [first, out_step, in_step, between[0] * row, between[1] * column, there]
        arguments += [elements.data_ptr(), *elements.shape[1:3]]
        made.append(elements)
    run_on_all_threads(kernels.transform_taps.address, arguments)
    return made
