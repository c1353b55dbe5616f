"""1x1 convolutions in one pass with what stands around them, against PyTorch's own in float64."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from codecspec.runtime.layers import window_gate
from codecspec.runtime.layers.gdn import GDN
from codecspec.runtime.layers.pointwise import pointwise, suits
from codecspec.runtime.layers.residual_bottleneck import ResidualBottleneckBlock
from codecspec.runtime.layers.two_ways import choose_way
from codecspec.runtime.layers.window_gate import ResidualUnit
from codecspec.runtime.machine_code import runs_here

pytestmark = pytest.mark.skipif(not runs_here(), reason="no AVX2, or PyTorch runs on other threads")
ACTIVATIONS = {"nothing": torch.nn.Identity(), "gelu": F.gelu, "relu": F.relu}


def maps(n: int, channels: int, height: int, width: int, seed: int = 0) -> Tensor:
    return torch.randn(n, channels, height, width, generator=torch.Generator().manual_seed(seed))


def in_channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def conv_1x1(inputs: int, outputs: int) -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(inputs, outputs, 1)


@pytest.mark.parametrize("after", ACTIVATIONS)
@pytest.mark.parametrize("gelu_before", [False, True])
@pytest.mark.parametrize("skips", [False, True])
@pytest.mark.parametrize("widths", [(16, 16), (48, 96), (400, 32)], ids=str)
@pytest.mark.parametrize("size", [(1, 1, 1), (2, 3, 5), (1, 19, 31)], ids=str)
def test_it_is_its_formula(
    size: tuple[int, int, int], widths: tuple[int, int], skips: bool, gelu_before: bool, after: str
) -> None:
    n, height, width = size
    conv = conv_1x1(*widths)
    x, skip = maps(n, widths[0], height, width), maps(n, widths[1], height, width, 1) if skips else None
    given = x.clone()
    with torch.no_grad():
        options = {"gelu_before": gelu_before, "gelu_after": after == "gelu", "relu_after": after == "relu"}
        found = pointwise(x, conv, skip=skip, **options)
        expected = conv.double()(F.gelu(x.double()) if gelu_before else x.double())
        expected = expected + skip if skip is not None else expected
        expected = ACTIVATIONS[after](expected)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(x, given)


@torch.no_grad()
def test_a_convolution_may_lack_a_bias() -> None:
    conv, x = nn.Conv2d(32, 48, 1, bias=False), maps(2, 32, 3, 5)
    assert suits(conv, x)
    torch.testing.assert_close(pointwise(x, conv).double(), conv.double()(x.double()), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("relu_after", [False, True])
@torch.no_grad()
def test_rows_of_maps_are_read_added_and_written_where_they_are(relu_after: bool) -> None:
    conv, sizes, rows = conv_1x1(32, 64), (9, 7), slice(2, 6)
    x, skip, out = (in_channels_last(maps(3, channels, *sizes, seed)) for seed, channels in enumerate((32, 64, 64)))
    before, whole = out.clone(), pointwise(x, conv, skip=skip, relu_after=relu_after)
    found = pointwise(x[:, :, rows], conv, skip=skip[:, :, rows], relu_after=relu_after, out=out[:, :, rows])
    assert found.data_ptr() == out[:, :, rows].data_ptr()
    assert torch.equal(out[:, :, rows], whole[:, :, rows])
    assert torch.equal(out[:, :, :2], before[:, :, :2])
    assert torch.equal(out[:, :, 6:], before[:, :, 6:])


@pytest.mark.parametrize("part", [(..., slice(1, None)), (slice(None), slice(32, None))], ids=["columns", "channels"])
@torch.no_grad()
def test_other_parts_of_maps_are_copied(part: tuple[slice, ...]) -> None:
    x = in_channels_last(maps(2, 64, 5, 6))[part]
    conv = conv_1x1(x.shape[1], 32)
    assert torch.equal(pointwise(x, conv), pointwise(x.contiguous(), conv))


@torch.no_grad()
def test_what_is_no_number_stays_that() -> None:
    x = maps(1, 32, 3, 3)
    x[0, 0, 1, 1] = torch.nan
    out = pointwise(x, conv_1x1(32, 32), relu_after=True)
    assert torch.isnan(out[0, :, 1, 1]).all()
    assert torch.isnan(out).sum() == 32


@torch.no_grad()
def test_no_maps_are_no_maps() -> None:
    assert pointwise(maps(0, 32, 3, 3), conv_1x1(32, 16), relu_after=True).shape == (0, 16, 3, 3)


def test_numbers_depend_on_no_threads() -> None:
    conv, x = conv_1x1(48, 64), maps(2, 48, 20, 23)
    threads, found = torch.get_num_threads(), []
    with torch.no_grad():
        for count in (1, 2, 5):
            torch.set_num_threads(count)
            found.append(pointwise(x, conv, gelu_before=True, skip=maps(2, 64, 20, 23, 1), gelu_after=True))
    torch.set_num_threads(threads)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(24, 16, 1),
        nn.Conv2d(16, 8, 1),
        nn.Conv2d(16, 16, 3, padding=1),
        nn.Conv2d(16, 16, 1, stride=2),
        nn.Conv2d(16, 16, 1, padding=1),
        nn.Conv2d(16, 16, 1, groups=2),
        nn.Conv2d(16, 16, 1).double(),
    ],
    ids=str,
)
def test_what_it_is_not_for(conv: nn.Conv2d) -> None:
    assert suits(nn.Conv2d(16, 16, 1), maps(1, 16, 4, 4))
    assert not suits(conv, maps(1, conv.in_channels, 4, 4))


def test_residual_units_compute_the_same_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    unit, x = ResidualUnit(32), maps(2, 32, 9, 14)
    with torch.no_grad():
        exact = unit.double()(x.double())
        choose_way(unit.float(), fast=True)
        torch.testing.assert_close(unit(x).double(), exact, rtol=1e-5, atol=1e-5)
        monkeypatch.setattr(window_gate, "pointwise", None)
        torch.testing.assert_close(unit.double()(x.double()), exact, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (3, 4), (17, 13), (40, 11), (64, 33)], ids=str)
@torch.no_grad()
def test_bottlenecks_in_float32(
    size: tuple[int, int], memory_format: torch.memory_format, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codecspec.runtime.layers.bands.BAND", 64 * 20 * size[1])
    torch.manual_seed(0)
    block, x = ResidualBottleneckBlock(64).eval(), maps(2, 64, *size).contiguous(memory_format=memory_format)
    expected = block.double()(x.double())
    choose_way(block.float(), fast=True)
    given = x.clone()
    assert (block(x) - expected).abs().max() <= 2e-6 * expected.abs().max()
    assert torch.equal(x, given)


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last], ids=str)
def test_divisive_normalization(memory_format: torch.memory_format, in_place: bool, inverse: bool) -> None:
    torch.manual_seed(0)
    gdn = GDN(48, inverse=inverse, in_place=in_place)
    with torch.no_grad():
        gdn.gamma.copy_(torch.rand(48, 48) * 0.5 + 0.01)
        x = maps(2, 48, 7, 19).contiguous(memory_format=memory_format)
        given = x.clone()
        exact = gdn.double()(x.double())
        choose_way(gdn.float(), fast=True)
        found = gdn(x)
    torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=1e-5)
    if not in_place:
        assert torch.equal(x, given)
