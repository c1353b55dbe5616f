"""Blocks by bands of rows: as the whole map at once, whatever a band holds."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from codecspec.runtime.layers.bands import bands
from codecspec.runtime.layers.conv_trans import ConvTransBlock
from codecspec.runtime.layers.gdn import GDN
from codecspec.runtime.layers.naf import NAFBlock
from codecspec.runtime.layers.residual_bottleneck import ResidualBottleneckBlock
from codecspec.runtime.layers.transformer_block import TransformerBlock
from codecspec.runtime.layers.two_ways import choose_way

BLOCKS = {
    "conv_trans": lambda: ConvTransBlock(6, head_dim=3, window=4, shift=2),
    "gdn": lambda: GDN(6),
    "inverse gdn": lambda: GDN(6, inverse=True),
    "naf": lambda: NAFBlock(6),
    "residual_bottleneck": lambda: ResidualBottleneckBlock(6),
    "swin": lambda: TransformerBlock(6, num_heads=2, window=4, shift=2, masked=-100.0),
}


def randomized(block: nn.Module) -> nn.Module:
    """In float64, no weight zero."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.copy_(torch.randn(parameter.shape) * 0.5)
    return block.double().eval()


@pytest.mark.parametrize("elements", [1, 5, 2**21, 2**30])
@pytest.mark.parametrize("height", [1, 2, 31, 1080])
def test_bands_are_the_map_from_its_first_row_to_its_last(height: int, elements: int) -> None:
    found = list(bands(height, elements))
    assert [row for first, last in found for row in range(first, last)] == list(range(height))


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (9, 5), (16, 8)], ids=str)
@pytest.mark.parametrize("band", [1, 150, 2**21])
@pytest.mark.parametrize("name", BLOCKS)
def test_both_ways_are_the_same(
    name: str, band: int, size: tuple[int, int], memory_format: torch.memory_format, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codecspec.runtime.layers.bands.BAND", band)
    block = randomized(BLOCKS[name]())
    x = torch.randn(2, 6, *size, dtype=torch.float64).contiguous(memory_format=memory_format)
    given = x.clone()
    with torch.no_grad():
        plain = block(x)
        choose_way(block, fast=True)
        fast = block(x)
    torch.testing.assert_close(fast, plain, rtol=1e-12, atol=1e-12)
    assert torch.equal(x, given)
    assert torch.equal(block(x), plain)  # with gradients


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("inverse", [False, True])
def test_gdn_overwrites_what_it_is_told_to(inverse: bool, in_place: bool) -> None:
    block = GDN(6, inverse=inverse, in_place=in_place).double()
    choose_way(block, fast=True)
    x = torch.randn(2, 6, 9, 5, dtype=torch.float64)
    given = x.clone()
    with torch.no_grad():
        out = block(x)
    torch.testing.assert_close(out, block(given), rtol=1e-12, atol=1e-12)
    assert torch.equal(x, out if in_place else given)
