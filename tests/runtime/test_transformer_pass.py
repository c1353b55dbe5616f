"""Transformer blocks in one pass: the plain way's numbers, whatever the map's size, the masks and the threads."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from codecspec.runtime.layers import transformer_pass
from codecspec.runtime.layers.transformer_block import TransformerBlock
from codecspec.runtime.layers.two_ways import choose_way
from codecspec.runtime.layers.window_attention import SWIN_MASKED
from codecspec.runtime.layers.windowed_attention import WindowedAttention

WIDTHS = [(16, 2), (48, 2), (48, 6), (64, 2), (80, 2)]
"""Channels and heads: heads of 8 to 40 channels, those that fill one vector, two, and both."""


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def randomized(module: nn.Module) -> nn.Module:
    """With weights that matter: attention far from uniform, norms and biases far from what they are made as."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            scale = 0.7 if parameter.ndim == 1 else parameter.shape[1] ** -0.5
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * scale)
    return module.eval()


def feature_map(n: int, channels: int, height: int, width: int) -> Tensor:
    return torch.randn(n, channels, height, width, generator=torch.Generator().manual_seed(1))


def fast(module: nn.Module, x: Tensor) -> Tensor:
    choose_way(module, fast=True)
    with torch.no_grad():
        out: Tensor = module(x)
    choose_way(module, fast=False)
    return out


def exact(module: nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad():
        out: Tensor = module.double()(x.double())
    module.float()
    return out


@pytest.fixture
def no_other_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transformer_pass, "attend_in_bands", None)


@pytest.mark.usefixtures("no_other_way")
@pytest.mark.parametrize("masked", [SWIN_MASKED, -math.inf])
@pytest.mark.parametrize(
    ("size", "window", "shift"),
    [
        ((1, 1, 1), 4, 2),
        ((2, 9, 7), 4, 0),
        ((2, 9, 7), 4, 2),
        ((1, 4, 20), 4, 1),
        ((1, 20, 4), 4, 3),
        ((3, 8, 8), 4, 2),
        ((2, 5, 17), 8, 4),
        ((1, 16, 24), 8, 0),
        ((1, 17, 16), 16, 8),
    ],
    ids=str,
)
@pytest.mark.parametrize(("channels", "heads"), WIDTHS)
def test_it_is_the_plain_way(
    channels: int, heads: int, size: tuple[int, int, int], window: int, shift: int, masked: float
) -> None:
    n, height, width = size
    block = randomized(TransformerBlock(channels, num_heads=heads, window=window, shift=shift, masked=masked))
    alone = randomized(WindowedAttention(channels, num_heads=heads, window=window, shift=shift))
    x = feature_map(n, channels, height, width)
    given = x.clone()
    for module in (block, alone):
        torch.testing.assert_close(fast(module, x).double(), exact(module, x), rtol=1e-5, atol=1e-5)
    assert torch.equal(x, given)


@pytest.mark.usefixtures("no_other_way")
@pytest.mark.parametrize("size", [1e-30, 1.0, 300.0])
def test_large_and_small_scores(size: float) -> None:
    """As exact as the plain way is, from attention that is uniform to attention to one position."""
    block = randomized(TransformerBlock(32, num_heads=2, window=4, shift=2, masked=-math.inf))
    with torch.no_grad():
        block.attn.qkv.weight[:64] *= size
        block.attn.qkv.bias[:64] *= size
    x = feature_map(1, 32, 8, 12)
    with torch.no_grad():
        plain = block(x)
    expected = exact(block, x)
    assert (fast(block, x) - expected).abs().max() < 3 * (plain - expected).abs().max() + 1e-6


@pytest.mark.parametrize("window", [4, 8])
def test_numbers_depend_on_no_threads_and_no_shares(window: int, monkeypatch: pytest.MonkeyPatch) -> None:
    block = randomized(TransformerBlock(48, num_heads=3, window=window, shift=2, masked=SWIN_MASKED))
    x = feature_map(2, 48, 22, 35)
    found = []
    for threads, positions, tasks in [(1, 192, 1), (2, 192, 4), (3, 1, 4), (2, 96, 1), (5, 700, 2)]:
        torch.set_num_threads(threads)
        monkeypatch.setattr(transformer_pass, "POSITIONS", positions)
        monkeypatch.setattr(transformer_pass, "TASKS_PER_THREAD", tasks)
        found.append(fast(block, x))
    assert all(torch.equal(each, found[0]) for each in found)


def test_an_image_is_the_same_among_others() -> None:
    block = randomized(TransformerBlock(48, num_heads=3, window=4, shift=2, masked=SWIN_MASKED))
    x = feature_map(3, 48, 10, 13)
    assert torch.equal(fast(block, x)[1], fast(block, x[1:2])[0])


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last], ids=str)
def test_any_layout_of_the_map(memory_format: torch.memory_format) -> None:
    block = randomized(TransformerBlock(48, num_heads=3, window=4, shift=2, masked=SWIN_MASKED))
    x = feature_map(2, 48, 10, 13)
    wide = x.new_zeros(2, 48, 10, 20)
    wide[..., 3:16] = x
    assert torch.equal(fast(block, x.contiguous(memory_format=memory_format)), fast(block, wide[..., 3:16]))


@pytest.mark.parametrize(
    ("channels", "heads", "window", "dtype"),
    [
        (48, 3, 4, torch.float64),
        (24, 3, 4, torch.float32),
        (48, 4, 4, torch.float32),
        (48, 3, 2, torch.float32),
        (48, 3, 3, torch.float32),
        (16, 2, 20, torch.float32),
    ],
    ids=str,
)
def test_what_fills_no_vectors_goes_by_bands(
    channels: int, heads: int, window: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transformer_pass, "_in_one_pass", None)
    block = randomized(TransformerBlock(channels, num_heads=heads, window=window, shift=1, masked=SWIN_MASKED))
    x = feature_map(1, channels, 9, 7)
    found = fast(block.to(dtype), x.to(dtype))
    torch.testing.assert_close(found.double(), exact(block, x.to(dtype)), rtol=1e-5, atol=1e-5)


def test_half_precision_and_machines_without_the_pool_go_by_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    block = randomized(TransformerBlock(16, num_heads=2, window=4, shift=2, masked=SWIN_MASKED))
    x = feature_map(1, 16, 9, 7)
    expected = fast(block, x)
    monkeypatch.setattr(transformer_pass, "_in_one_pass", None)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(fast(block, x), expected, rtol=0.1, atol=0.3)
    monkeypatch.setattr("codecspec.runtime.machine_code.runs_here", lambda: False)
    torch.testing.assert_close(fast(block, x), expected, rtol=1e-5, atol=1e-5)


def test_weights_that_change_count() -> None:
    block = randomized(TransformerBlock(16, num_heads=2, window=4, shift=2, masked=SWIN_MASKED))
    x = feature_map(1, 16, 9, 7)
    fast(block, x)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.mul_(1.25)
    torch.testing.assert_close(fast(block, x).double(), exact(block, x), rtol=1e-5, atol=1e-5)
