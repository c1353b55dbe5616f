"""Windowed attention against its definition: position by position, in loops, in float64."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from codecspec.runtime.layers.window_attention import (
    SWIN_MASKED,
    WindowAttention,
    attend_in_bands,
    attend_in_windows,
    relative_position_index,
    shift_mask,
)
from codecspec.runtime.layers.window_gate import ResidualUnit, WindowGate
from codecspec.runtime.layers.windowed_attention import WindowedAttention


def randomized(module: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """In float64, with weights that matter: attention far from uniform, biases far from zero."""
    generator = torch.Generator().manual_seed(seed)
    module = module.double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * 0.7)
    return module


def feature_map(n: int, c: int, height: int, width: int) -> Tensor:
    return torch.randn(n, c, height, width, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def region(position: int, size: int, window: int, shift: int) -> int:
    """Of a position along one axis of the shifted map: which stretch of the map it came from and lies in."""
    if position < size - window:
        return 0
    return 1 if position < size - shift else 2


def naive(module: WindowedAttention, x: Tensor, heads: int, window: int, shift: int) -> Tensor:
    """x + attention(x) of one image (C, H, W), without any windows cut out, rolled or batched."""
    c, height, width = x.shape
    d = c // heads
    tall, wide = math.ceil(height / window) * window, math.ceil(width / window) * window
    attn = module.attn

    def token(i: int, j: int) -> Tensor:
        """The query, key and value at a position of the shifted map; zeros beyond the right and bottom edge."""
        i, j = (i + shift) % tall, (j + shift) % wide
        inside = x[:, i, j] if i < height and j < width else torch.zeros(c, dtype=x.dtype)
        return attn.qkv.weight @ inside + attn.qkv.bias

    out = x.clone()
    for i in range(tall):
        for j in range(wide):
            to_i, to_j = (i + shift) % tall, (j + shift) % wide
            if to_i >= height or to_j >= width:
                continue
            top, left = i - i % window, j - j % window
            seen = [(a, b) for a in range(top, top + window) for b in range(left, left + window)]
            heads_out = []
            for head in range(heads):
                part = slice(head * d, (head + 1) * d)
                query = token(i, j)[:c][part]
                scores = []
                for a, b in seen:
                    score = query @ token(a, b)[c : 2 * c][part] / math.sqrt(d)
                    row = (i - a + window - 1) * (2 * window - 1) + (j - b + window - 1)
                    score = score + attn.relative_position_bias_table[row, head]
                    apart = any(
                        region(p, size, window, shift) != region(q, size, window, shift)
                        for p, q, size in ((i, a, tall), (j, b, wide))
                    )
                    scores.append(score - 100.0 if shift and apart else score)
                weights = torch.stack(scores).softmax(0)
                heads_out.append(
                    sum(weight * token(a, b)[2 * c :][part] for weight, (a, b) in zip(weights, seen, strict=True))
                )
            out[:, to_i, to_j] += attn.proj.weight @ torch.cat(heads_out) + attn.proj.bias
    return out


@pytest.mark.parametrize(
    ("size", "window", "shift", "heads"),
    [
        ((4, 4), 2, 0, 1),
        ((4, 4), 2, 1, 2),
        ((2, 6), 2, 1, 1),
        ((6, 3), 3, 1, 2),
        ((6, 6), 3, 2, 4),
        ((4, 8), 4, 2, 2),
        ((5, 3), 2, 0, 2),
        ((5, 3), 2, 1, 2),
        ((4, 5), 3, 1, 1),
        ((1, 1), 2, 1, 2),
        ((1, 5), 4, 2, 4),
        ((7, 2), 4, 3, 1),
    ],
    ids=str,
)
def test_it_is_its_definition(size: tuple[int, int], window: int, shift: int, heads: int) -> None:
    channels = 4
    module = randomized(WindowedAttention(channels, num_heads=heads, window=window, shift=shift))
    x = feature_map(2, channels, *size)
    with torch.no_grad():
        found = module(x)
        expected = torch.stack([naive(module, image, heads, window, shift) for image in x])
    assert found.shape == x.shape
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def test_the_definition_depends_on_all_that_it_is_told() -> None:
    """So agreement above means something: shift, mask, bias and padding each change the numbers."""
    x = feature_map(1, 4, 5, 6)

    def out(shift: int, heads: int = 2, x: Tensor = x, table: float = 1.0) -> Tensor:
        module = randomized(WindowedAttention(4, num_heads=heads, window=2, shift=shift))
        with torch.no_grad():
            module.attn.relative_position_bias_table.mul_(table)
            return module(x)

    assert not torch.allclose(out(1), out(0))
    assert not torch.allclose(out(1), out(1, heads=1))
    assert not torch.allclose(out(1), out(1, table=0.0))
    assert torch.allclose(out(1), out(1, x=F.pad(x, (0, 0, 0, 1)))[:, :, :5])


@pytest.mark.parametrize(("shift", "neighbours"), [(0, {0, 1, 6, 7}), (1, {0})])
def test_nothing_comes_from_outside_the_window(shift: int, neighbours: set[int]) -> None:
    """What the corner of a 6x6 map depends on: its 2x2 window; shifted by one, only itself, but for exp(-100)."""
    module = randomized(WindowedAttention(4, num_heads=2, window=2, shift=shift))
    x = feature_map(1, 4, 6, 6).requires_grad_()
    module(x)[0, :, 0, 0].sum().backward()
    assert x.grad is not None
    reached = x.grad[0].abs().sum(0).flatten() > 1e-20
    assert set(reached.nonzero().flatten().tolist()) == neighbours


@pytest.mark.parametrize("window", [1, 2, 3, 4, 8])
def test_relative_positions_by_their_definition(window: int) -> None:
    index = relative_position_index(window)
    assert index.dtype == torch.int64
    assert index.shape == (window**2, window**2)
    for query in range(window**2):
        for key in range(window**2):
            dy = query // window - key // window
            dx = query % window - key % window
            assert index[query, key] == (dy + window - 1) * (2 * window - 1) + dx + window - 1
    assert set(index.flatten().tolist()) == set(range((2 * window - 1) ** 2))


def test_the_mask_of_a_small_map_by_hand() -> None:
    """4x4, windows of 2, shifted by 1: regions 0 (old inside), 1 and 2 along each axis.

    0 0 | 1 2
    0 0 | 1 2
    ----+----
    3 3 | 4 5
    6 6 | 7 8
    """
    mask = shift_mask(4, 4, 2, 1, SWIN_MASKED, torch.zeros(1, dtype=torch.float64))
    assert mask.dtype == torch.float64
    o, x = 0.0, -100.0
    assert mask.tolist() == [
        [[o, o, o, o], [o, o, o, o], [o, o, o, o], [o, o, o, o]],
        [[o, x, o, x], [x, o, x, o], [o, x, o, x], [x, o, x, o]],
        [[o, o, x, x], [o, o, x, x], [x, x, o, o], [x, x, o, o]],
        [[o, x, x, x], [x, o, x, x], [x, x, o, x], [x, x, x, o]],
    ]


@pytest.mark.parametrize(("size", "window", "shift"), [((4, 6), 2, 1), ((6, 9), 3, 1), ((8, 8), 4, 3), ((4, 4), 4, 2)])
def test_masks_by_their_definition(size: tuple[int, int], window: int, shift: int) -> None:
    height, width = size
    mask = shift_mask(height, width, window, shift, -math.inf, torch.zeros(1))
    found = mask.view(height // window, width // window, window, window, window, window)
    for i in range(height):
        for j in range(width):
            for a in range(window):
                for b in range(window):
                    other = (i - i % window + a, j - j % window + b)
                    together = region(i, height, window, shift) == region(other[0], height, window, shift) and region(
                        j, width, window, shift
                    ) == region(other[1], width, window, shift)
                    value = found[i // window, j // window, i % window, j % window, a, b]
                    assert value == (0 if together else -math.inf)


def test_the_bias_is_per_head_and_pair() -> None:
    attention = WindowAttention(4, 2, 2)
    with torch.no_grad():
        attention.relative_position_bias_table.copy_(torch.arange(18.0).view(9, 2))
    bias = attention.bias()
    assert bias.shape == (2, 4, 4)
    index = relative_position_index(2)
    for head in range(2):
        assert torch.equal(bias[head], 2.0 * index + head)


def test_a_fresh_bias_table_is_small_and_not_zero() -> None:
    torch.manual_seed(0)
    table = WindowAttention(8, 4, 8).relative_position_bias_table
    assert table.shape == (225, 4)
    assert 0.015 < float(table.detach().std()) < 0.025


def units(sequence: torch.nn.Sequential, x: Tensor) -> Tensor:
    """Residual units by their formula."""
    for unit in sequence:
        assert isinstance(unit, ResidualUnit)
        reduce, _, middle, _, expand = unit.conv
        half = F.gelu(F.conv2d(x, reduce.weight, reduce.bias))
        half = F.gelu(F.conv2d(half, middle.weight, middle.bias, padding=1))
        x = F.gelu(x + F.conv2d(half, expand.weight, expand.bias))
    return x


@pytest.mark.parametrize("num_units", [1, 3])
@pytest.mark.parametrize("shift", [0, 1])
def test_the_gate_is_its_formula(num_units: int, shift: int) -> None:
    gate = randomized(WindowGate(4, num_heads=2, window=2, shift=shift, num_units=num_units))
    x = feature_map(2, 4, 3, 4)
    with torch.no_grad():
        attended = torch.stack([naive(gate.conv_b[0], image, 2, 2, shift) for image in x])
        last = gate.conv_b[-1]
        b = F.conv2d(units(gate.conv_b[1:-1], attended), last.weight, last.bias)
        expected = x + units(gate.conv_a, x) / (1 + torch.exp(-b))
        torch.testing.assert_close(gate(x), expected, rtol=1e-10, atol=1e-10)
    assert len(gate.conv_a) == num_units
    assert len(gate.conv_b) == num_units + 2


@pytest.mark.parametrize("band", [1, 2**9, 2**21])
@pytest.mark.parametrize("masked", [SWIN_MASKED, -math.inf])
@pytest.mark.parametrize(
    ("size", "window", "shift"),
    [((4, 4), 2, 0), ((6, 4), 2, 1), ((5, 3), 2, 1), ((9, 7), 4, 2), ((1, 1), 2, 1), ((4, 20), 4, 2), ((20, 4), 4, 3)],
    ids=str,
)
def test_both_ways_are_the_same(
    size: tuple[int, int], window: int, shift: int, masked: float, band: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For maps of one and of many windows, several maps at a time, and however few rows are held at once."""
    monkeypatch.setattr("codecspec.runtime.layers.bands.BAND", band)
    attn = randomized(WindowAttention(6, 3, window))
    x = feature_map(3, 6, *size).permute(0, 2, 3, 1)
    norm, after = randomized(torch.nn.LayerNorm(6)), randomized(torch.nn.Linear(6, 6), 1)
    with torch.no_grad():
        u = x + attend_in_windows(attn, x, shift=shift, masked=masked)
        alone = attend_in_bands(attn, x, shift=shift, masked=masked)
        torch.testing.assert_close(alone, u, rtol=1e-12, atol=1e-12)
        u = x + attend_in_windows(attn, norm(x), shift=shift, masked=masked)
        fast = attend_in_bands(attn, x, shift=shift, masked=masked, before=norm, after=after)
    torch.testing.assert_close(fast, u + after(u), rtol=1e-12, atol=1e-12)
