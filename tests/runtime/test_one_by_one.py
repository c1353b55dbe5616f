"""1x1 convolutions with what follows them: as torch computes them, whoever computes which part."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from codecspec.runtime.layers import one_by_one
from codecspec.runtime.layers.residual_bottleneck import ResidualBottleneckBlock
from codecspec.runtime.layers.two_ways import choose_way
from codecspec.runtime.machine_code import runs_here

pytestmark = pytest.mark.skipif(not runs_here(), reason="no AVX2, or PyTorch runs on other threads")
SIZES = [(1, 1), (1, 5), (3, 4), (17, 13), (40, 11)]


def maps(*shape: int) -> Tensor:
    torch.manual_seed(0)
    return torch.randn(shape).contiguous(memory_format=torch.channels_last)


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@torch.no_grad()
def exact(conv: nn.Conv2d, x: Tensor) -> Tensor:
    bias = None if conv.bias is None else conv.bias.double()
    return nn.functional.conv2d(x.double(), conv.weight.double(), bias)


def assert_near(out: Tensor, expected: Tensor) -> None:
    assert (out - expected).abs().max() <= 2e-6 * expected.abs().max()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("channels", [(32, 64), (5, 32), (48, 96)], ids=str)
@torch.no_grad()
def test_it_is_the_convolution(channels: tuple[int, int], size: tuple[int, int], bias: bool) -> None:
    conv, x = nn.Conv2d(*channels, 1, bias=bias), maps(2, channels[0], *size)
    assert one_by_one.suits(conv, x)
    out = one_by_one.convolved(conv, x)
    assert out.is_contiguous(memory_format=torch.channels_last)
    assert_near(out, exact(conv, x))
    assert_near(one_by_one.convolved(conv, x, relu=True), exact(conv, x).relu())


@torch.no_grad()
def test_rows_of_maps_are_read_added_and_written_where_they_are() -> None:
    conv, x, added, out = nn.Conv2d(32, 64, 1), maps(3, 32, 9, 7), maps(3, 64, 9, 7), maps(3, 64, 9, 7)
    before, rows = out.clone(), slice(2, 6)
    one_by_one.convolved(conv, x[:, :, rows], added=added[:, :, rows], out=out[:, :, rows])
    assert_near(out[:, :, rows], (exact(conv, x) + added)[:, :, rows])
    assert torch.equal(out[:, :, :2], before[:, :, :2])
    assert torch.equal(out[:, :, 6:], before[:, :, 6:])


@torch.no_grad()
def test_the_number_of_threads_changes_nothing(threads: None) -> None:
    conv, x = nn.Conv2d(32, 64, 1), maps(2, 32, 31, 29)
    expected = one_by_one.convolved(conv, x)
    for count in (1, 2, 5):
        torch.set_num_threads(count)
        assert torch.equal(one_by_one.convolved(conv, x), expected)
    assert torch.equal(one_by_one.convolved(conv, x[:, :, 3:4]), expected[:, :, 3:4])


@torch.no_grad()
def test_what_is_no_number_stays_that() -> None:
    conv, x = nn.Conv2d(32, 32, 1), maps(1, 32, 3, 3)
    x[0, 0, 1, 1] = torch.nan
    out = one_by_one.convolved(conv, x, relu=True)
    assert torch.isnan(out[0, :, 1, 1]).all()
    assert torch.isnan(out).sum() == 32


@pytest.mark.parametrize(
    ("conv", "x"),
    [
        (nn.Conv2d(32, 32, 3, padding=1), maps(1, 32, 3, 3)),
        (nn.Conv2d(32, 32, 1, stride=2), maps(1, 32, 3, 3)),
        (nn.Conv2d(32, 40, 1), maps(1, 32, 3, 3)),
        (nn.Conv2d(32, 32, 1), maps(1, 32, 3, 3).contiguous()),
        (nn.Conv2d(32, 32, 1), maps(1, 32, 3, 3)[..., 1:]),
        (nn.Conv2d(32, 32, 1), maps(1, 64, 3, 3)[:, 32:]),
        (nn.Conv2d(32, 32, 1).double(), maps(1, 32, 3, 3).double()),
        (nn.Conv2d(32, 32, 1), maps(0, 32, 3, 3)),
    ],
    ids=["kernel", "stride", "channels", "format", "columns", "some channels", "type", "nothing"],
)
def test_others_go_another_way(conv: nn.Conv2d, x: Tensor) -> None:
    assert not one_by_one.suits(conv, x)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize("size", [*SIZES, (64, 33)], ids=str)
@torch.no_grad()
def test_bottlenecks_in_float32(
    size: tuple[int, int], memory_format: torch.memory_format, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codecspec.runtime.layers.bands.BAND", 64 * 20 * size[1])
    block, x = ResidualBottleneckBlock(64).eval(), maps(2, 64, *size).contiguous(memory_format=memory_format)
    expected = block.double()(x.double())
    choose_way(block.float(), fast=True)
    given = x.clone()
    assert_near(block(x), expected)
    assert torch.equal(x, given)
