"""NAF blocks in two passes of machine code: what the block is, whoever computes which part of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from codecspec.runtime.layers import naf_halves
from codecspec.runtime.layers.naf import NAFBlock
from codecspec.runtime.layers.two_ways import choose_way
from codecspec.runtime.machine_code import runs_here

pytestmark = pytest.mark.skipif(not runs_here(), reason="no AVX2, or PyTorch runs on other threads")
SIZES = [(1, 1), (1, 7), (7, 1), (2, 3), (5, 6), (17, 13), (70, 4)]


def block(channels: int) -> NAFBlock:
    """No weight zero."""
    torch.manual_seed(0)
    made = NAFBlock(channels).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(torch.randn(parameter.shape) * 0.3)
    choose_way(made, fast=True)
    return made


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@torch.no_grad()
def exact(naf: NAFBlock, x: Tensor) -> Tensor:
    """The plain way, in float64."""
    choose_way(naf.double(), fast=False)
    out: Tensor = naf(x.double())
    choose_way(naf.float(), fast=True)
    return out


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("channels", [32, 96])
@torch.no_grad()
def test_it_is_the_plain_block(channels: int, size: tuple[int, int], memory_format: torch.memory_format) -> None:
    naf = block(channels)
    x = torch.randn(2, channels, *size).contiguous(memory_format=memory_format)
    given = x.clone()
    assert naf_halves.suits(x, naf.project.weight)
    out, expected = naf(x), exact(naf, x)
    assert (out - expected).abs().max() <= 2e-6 * expected.abs().max()
    assert torch.equal(x, given)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(("positions", "chunk", "band_rows"), [(1, 1, 1), (13, 7, 3), (30, 64, 1000)])
@torch.no_grad()
def test_how_it_is_divided_changes_nothing(
    positions: int, chunk: int, band_rows: int, size: tuple[int, int], threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    naf, x = block(32), torch.randn(2, 32, *size)
    expected = naf(x)
    monkeypatch.setattr(naf_halves, "POSITIONS", positions)
    monkeypatch.setattr(naf_halves, "CHUNK", chunk)
    monkeypatch.setattr(naf_halves, "BAND_ROWS", band_rows)
    for count in (1, 2, 5):
        torch.set_num_threads(count)
        assert torch.equal(naf(x), expected)


@torch.no_grad()
def test_images_beside_each_other_are_as_alone() -> None:
    naf, x = block(32), torch.randn(3, 32, 9, 11)
    assert torch.equal(naf(x), torch.cat([naf(each) for each in x.split(1)]))


@torch.no_grad()
def test_channels_far_from_zero_are_normalized_like_others() -> None:
    naf, x = block(32), torch.randn(1, 32, 6, 6) + 100
    expected = exact(naf, x)
    assert (naf(x) - expected).abs().max() <= 1e-5 * expected.abs().max()


@torch.no_grad()
def test_what_is_no_number_stays_at_its_image() -> None:
    naf, x = block(32), torch.randn(2, 32, 6, 6)
    expected = naf(x)[1]
    x[0, 3, 2, 2] = torch.nan
    out = naf(x)
    assert torch.isnan(out[0]).all()  # through the channel attention
    assert torch.equal(out[1], expected)


@pytest.mark.parametrize(
    "x",
    [torch.zeros(1, 32, 2, 2, dtype=torch.float64), torch.zeros(1, 6, 2, 2), torch.zeros(1, 32, 2, 2, device="meta")],
    ids=["type", "channels", "device"],
)
def test_other_maps_go_another_way(x: Tensor) -> None:
    assert not naf_halves.suits(x, torch.zeros(1, dtype=x.dtype))
