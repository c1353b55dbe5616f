"""Convolutions through tiles: the plain convolution to rounding errors, whole codecs by them too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from codecspec import compile_spec
from codecspec.runtime import machine_code
from codecspec.runtime.latent_codecs.channel_groups import ChannelGroupsLatentCodec
from codecspec.runtime.latent_codecs.lrp_gaussian import LRPGaussianLatentCodec
from codecspec.runtime.latent_codecs.mean_scale_head import build_mean_scale_head
from codecspec.runtime.layers import winograd
from codecspec.runtime.layers.conv import Conv2d, give_ways, run_fused
from codecspec.runtime.layers.deconv import Deconv
from codecspec.runtime.layers.entropy_transform import make_entropy_transform
from codecspec.runtime.layers.residual_block import ResidualBlock, ResidualBlockUpsample
from codecspec.runtime.layers.residual_bottleneck import ResidualBottleneckBlock
from codecspec.runtime.layers.seen_maps import SeenMaps
from codecspec.runtime.layers.two_ways import choose_way
from codecspec.runtime.machine_code import runs_here
from codecspec.runtime.openmp import run_on_all_threads, team
from codecspec.runtime.streams.image_streams import decode_image, encode_image
from tests.golden.golden_models import fill
from tests.runtime.small_codecs import GAIN, SMALL, images

pytestmark = pytest.mark.skipif(not runs_here(), reason="no AVX2 here, or another OpenMP than GNU's")
SIZES = [(1, 1, 1), (2, 6, 8), (1, 17, 5), (3, 2, 9), (1, 23, 30)]


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small nets over small maps go through tiles too."""
    monkeypatch.setattr(winograd, "MIN_WEIGHTS", 0)
    monkeypatch.setattr(winograd, "MIN_POSITIONS", 0)


@pytest.fixture(autouse=True)
def _no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def conv(channels: int, out: int, **options: Any) -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(channels, out, **{"kernel_size": 3, "padding": 1, **options})


def strided(channels: int, out: int, **options: Any) -> nn.Conv2d:
    return conv(channels, out, kernel_size=5, padding=2, stride=2, **options)


def transposed(channels: int, out: int, **options: Any) -> nn.ConvTranspose2d:
    torch.manual_seed(0)
    return nn.ConvTranspose2d(channels, out, 5, stride=2, padding=2, output_padding=1, **options)


def maps(channels: int, n: int = 2, height: int = 6, width: int = 8, seed: int = 0) -> Tensor:
    return torch.randn(n, channels, height, width, generator=torch.Generator().manual_seed(seed))


def exact(layer: nn.Module, x: Tensor) -> Tensor:
    """In float64."""
    out: Tensor = layer.double()(x.double())
    layer.float()
    return out


def assert_is(found: Tensor, expected: Tensor) -> None:
    """To rounding errors of float32."""
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=float(3e-6 * (1 + expected.abs().max())))


@pytest.mark.parametrize("make", [conv, strided, transposed])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("block", [winograd.BLOCK_BYTES, 1])
@pytest.mark.parametrize("bias", [True, False])
def test_it_is_the_plain_convolution(
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[..., nn.Conv2d | nn.ConvTranspose2d],
    size: tuple[int, int, int],
    block: int,
    bias: bool,
) -> None:
    monkeypatch.setattr(winograd, "BLOCK_BYTES", block)
    layer, x = make(32, 48, bias=bias), maps(32, *size)
    found = winograd.convolved(layer, x)
    assert_is(found, exact(layer, x))
    assert found.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("make", [conv, strided, transposed])
def test_activation_and_what_is_added_come_behind(make: Callable[..., nn.Conv2d | nn.ConvTranspose2d]) -> None:
    layer, x = make(16, 32), maps(16, 2, 9, 7)
    plain = exact(layer, x)
    added = maps(32, 2, *plain.shape[2:], seed=1)
    for other in (added, added.contiguous(memory_format=torch.channels_last)):
        found = winograd.convolved(layer, x, slope=0.1, added=other)
        assert_is(found, F.leaky_relu(plain, 0.1) + added)
    assert_is(winograd.convolved(layer, x, slope=0.0), plain.relu())


def test_maps_may_lie_anyhow() -> None:
    wide = maps(64, 2, 12, 20).contiguous(memory_format=torch.channels_last)
    layer = conv(32, 16)
    for x in (wide[:, 16:48], wide[:, :32, ::2, 1::3], maps(32).transpose(2, 3), maps(32).expand(2, -1, -1, -1)):
        assert_is(winograd.convolved(layer, x), exact(layer, x))


def test_several_maps_are_convolved_as_joined() -> None:
    parts = [maps(16), maps(48, seed=1), maps(32, seed=2).contiguous(memory_format=torch.channels_last)]
    layer = conv(96, 16)
    assert_is(winograd.convolved(layer, *parts), exact(layer, torch.cat(parts, dim=1)))


@pytest.mark.parametrize("out", [3, 12, 16, 20])
def test_channels_are_filled_up(out: int) -> None:
    layer, x, added = conv(16, out), maps(16), maps(out, seed=1)
    assert_is(winograd.convolved(layer, x), exact(layer, x))
    assert_is(winograd.convolved(layer, x, slope=0.5, added=added), F.leaky_relu(exact(layer, x), 0.5) + added)


@pytest.mark.parametrize("channels", [(12,), (24, 40), (16, 8, 33)], ids=str)
def test_channels_that_are_read_are_filled_up(channels: tuple[int, ...]) -> None:
    parts = [maps(count, seed=count) for count in channels]
    layer = conv(sum(channels), 20)
    assert_is(winograd.convolved(layer, *parts), exact(layer, torch.cat(parts, dim=1)))


@pytest.mark.parametrize(("first", "last"), [(0, 5), (5, 9), (9, 14), (0, 14)])
def test_rows_are_those_of_the_whole(first: int, last: int) -> None:
    layer, x = conv(16, 16), maps(16, 2, 14, 11)
    rows = x[:, :, max(first - 1, 0) : last + 1]
    found = winograd.convolved_by(layer.weight, layer.bias, rows, rows=last - first, above=first == 0, slope=0.0)
    assert_is(found, exact(layer, x)[:, :, first:last].relu())


def test_a_pixel_shuffle_is_written_in_place() -> None:
    layer, x, added = conv(16, 64), maps(16, 2, 5, 7), maps(16, 2, 10, 14, seed=1)
    shuffled = F.pixel_shuffle(exact(layer, x), 2)
    assert_is(winograd.convolved_and_shuffled(layer, x), shuffled)
    assert_is(winograd.convolved_and_shuffled(layer, x, slope=0.2, added=added), F.leaky_relu(shuffled, 0.2) + added)


def test_threads_and_blocks_change_no_bit(monkeypatch: pytest.MonkeyPatch, two_threads: None) -> None:
    layer, x = strided(32, 32), maps(32, 1, 50, 70)
    by_two = winograd.convolved(layer, x)
    torch.set_num_threads(1)
    monkeypatch.setattr(winograd, "BLOCK_BYTES", 1)
    assert torch.equal(winograd.convolved(layer, x), by_two)


def test_what_is_not_finite_stays_where_it_is() -> None:
    layer, x = conv(16, 16), torch.zeros(2, 16, 8, 8)
    x[1, 0, 0, 0] = torch.nan
    found = winograd.convolved(layer, x)
    assert found[0].isfinite().all()
    assert found[1, :, 4:, 4:].isfinite().all()
    assert found[1, :, 0, 0].isnan().all()


def test_machine_code_runs_on_each_thread(two_threads: None) -> None:
    assert team() is not None
    from codecspec.runtime.layers.winograd_kernels import transform_taps

    run_on_all_threads(transform_taps.address, [0, 0])  # no kernel at all: each looks, and goes


@pytest.mark.parametrize(
    "options",
    [
        {"stride": 2},
        {"dilation": 2},
        {"groups": 2},
        {"padding_mode": "circular"},
        {"kernel_size": 5},
        {"padding": 0},
        {"kernel_size": (3, 5)},
        {"kernel_size": 5, "padding": 2, "stride": (2, 1)},
    ],
)
def test_other_convolutions_are_not_its(always: None, options: dict[str, Any]) -> None:
    assert not winograd.suits(conv(16, 16, **options), maps(16))


def test_what_it_suits(always: None) -> None:
    x = maps(16)
    assert winograd.suits(conv(16, 16), x)
    assert winograd.suits(strided(16, 16), x)
    assert winograd.suits(transposed(16, 16), x)
    assert not winograd.suits(nn.GELU(), x)
    assert winograd.suits(conv(16, 12), x)
    assert not winograd.suits(conv(16, 8), x)
    assert not winograd.suits(transposed(16, 12), x)
    assert winograd.suits(conv(16, 64), x, groups=4)
    assert not winograd.suits(conv(16, 32), x, groups=4)
    assert not winograd.suits(conv(16, 16), maps(8), maps(8))
    assert not winograd.suits(conv(16, 16).double(), x.double())
    assert not winograd.suits(conv(16, 16).half(), x.half())
    assert not winograd.suits(conv(16, 16).to("meta"), x.to("meta"))
    assert not winograd.suits(nn.ConvTranspose2d(16, 16, 5, stride=2, padding=2), x)


def test_small_ones_are_not_worth_it() -> None:
    assert not winograd.suits(conv(16, 16), maps(16, 1, 64, 64))
    assert not winograd.suits(conv(64, 64), maps(64, 1, 8, 8))
    assert winograd.suits(conv(64, 64), maps(64, 1, 32, 32))


LARGE = {
    "conv": lambda: conv(16, 32),
    "entropy transform": lambda: make_entropy_transform(16, 32, widths=[48, 16]),
    "leaky": lambda: nn.Sequential(conv(16, 32), nn.LeakyReLU(0.3), strided(32, 16), nn.ReLU(), transposed(16, 16)),
    "residual": lambda: ResidualBlock(16, 16),
    "residual of another width": lambda: ResidualBlock(16, 32),
    "residual_bottleneck": lambda: ResidualBottleneckBlock(32),
    "residual_upsample": lambda: ResidualBlockUpsample(16, 16, 2),
    "residual_upsample to few": lambda: ResidualBlockUpsample(16, 8, 2),
    "to an image": lambda: Deconv(16, 3, 5, stride=2),
    "residual_upsample by 3": lambda: ResidualBlockUpsample(16, 16, 3),
}


@pytest.mark.parametrize("name", LARGE)
def test_both_ways_are_the_same(always: None, name: str) -> None:
    torch.manual_seed(0)
    layer = nn.Sequential(LARGE[name]()).eval()
    give_ways(layer)
    x = maps(32 if "bottleneck" in name else 16, 2, 13, 10)
    given = x.clone()
    choose_way(layer, fast=True)
    fast = layer(x)
    assert torch.equal(x, given)
    choose_way(layer, fast=False)
    plain = layer(x)
    assert not torch.equal(fast, plain)
    assert_is(fast, plain.double())


def test_a_published_net_gets_ways_and_keeps_its_weights() -> None:
    net = nn.Sequential(conv(16, 16), nn.Sequential(conv(16, 16)))
    keys = list(net.state_dict())
    give_ways(net)
    assert isinstance(net[0], Conv2d)
    assert isinstance(net[1][0], Conv2d)
    assert list(net.state_dict()) == keys
    assert repr(net[0]) == repr(conv(16, 16))


def test_activations_are_fused_with_what_is_before_them(always: None, monkeypatch: pytest.MonkeyPatch) -> None:
    slopes: list[float] = []
    plain = winograd.convolved

    def noted(*args: Any, slope: float = 1.0, **options: Any) -> Tensor:
        slopes.append(slope)
        return plain(*args, slope=slope, **options)

    monkeypatch.setattr(winograd, "convolved", noted)
    layers = [conv(32, 16), nn.ReLU(), conv(16, 16), nn.GELU(), conv(16, 16), nn.LeakyReLU(0.25), conv(16, 3)]
    parts = (maps(16), maps(16, seed=1))
    found = run_fused(layers, SeenMaps(parts))
    assert slopes == [0.0, 1.0, 0.25]
    expected = torch.cat(parts, dim=1)
    for layer in layers:
        expected = layer(expected)
    assert_is(found, expected.double())


def test_changed_weights_are_seen(always: None) -> None:
    net = make_entropy_transform(16, 32, widths=[16])
    x = maps(16)
    choose_way(net, fast=True)
    before = net(x)
    net[0].weight.data *= 2
    assert not torch.equal(net(x), before)
    fast = net(x)
    choose_way(net, fast=False)
    assert_is(fast, net(x).double())


WIDE: dict[str, dict[str, Any]] = {
    "bmshj2018-hyperprior": {"N": 16, "M": 32},
    "cca-aux": {**SMALL["cca-aux"], "widths": [16, 16, 32], "M": 80, "Z": 16},
    "mbt2018-mean": {"N": 16, "M": 32},
    "elic": {"N": 32, "M": 64, "groups": [16, 16, 32]},
    "stf": {**SMALL["stf"], "embed": 16},
    "tcm": {**SMALL["tcm"], "M": 80},
    "wacnn": {**SMALL["wacnn"], "N": 32, "M": 80},
}
"""Params of which the channels come in vectors."""


@pytest.mark.parametrize("name", WIDE)
@pytest.mark.parametrize("size", [(2, 64, 64), (1, 100, 70)])
def test_codecs_decode_what_forward_says(
    always: None, monkeypatch: pytest.MonkeyPatch, name: str, size: tuple[int, int, int]
) -> None:
    codec = compile_spec(name, **WIDE[name])
    fill(codec, GAIN[name])
    x = images(*size)
    runs: list[int] = []
    run = winograd.run_on_all_threads
    monkeypatch.setattr(winograd, "run_on_all_threads", lambda *args: [runs.append(1), run(*args)])
    fast = codec(x)
    assert len(runs) > 5
    coded = codec.compress(x)
    decoded = codec.decompress(coded["strings"], coded["shape"])["x_hat"]
    with codec.computing("reference"):
        reference = codec(x)
    assert torch.equal(decoded, fast["x_hat"].clamp(0, 1))
    likelihoods, expected = (out["likelihoods"]["y"] for out in (fast, reference))
    torch.testing.assert_close(likelihoods, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(fast["x_hat"], reference["x_hat"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["elic", "tcm", "wacnn"])
def test_streams_decode_where_kernels_do_not_run(always: None, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    codec = compile_spec(name, **WIDE[name])
    fill(codec, GAIN[name])
    data = encode_image(codec, images(1, 96, 80))
    here = decode_image(codec, data)
    monkeypatch.setattr(machine_code, "runs_here", lambda: False)
    elsewhere = decode_image(codec, data)
    assert not torch.equal(elsewhere, here)
    torch.testing.assert_close(elsewhere, here, rtol=0, atol=1e-4)


@pytest.mark.parametrize("visible", [[[], [0], [], [0, 1], [3]], [[], [], [1], [2, 0], [0, 1, 2, 3]]])
@pytest.mark.parametrize("split", [24, 16, 0])
def test_any_slices_may_be_seen(always: None, visible: list[list[int]], split: int) -> None:
    torch.manual_seed(0)
    side, width = 48, 16
    support = [side - split + width * len(seen) for seen in visible]
    heads = [build_mean_scale_head(width, c, widths=[16], side_split=split, emit_mean_support="pre") for c in support]
    nets = [make_entropy_transform(c + width, width, widths=[16]) for c in support]
    leaves: list[Any] = [
        LRPGaussianLatentCodec(net, mean_support_trail_channels=c) for net, c in zip(nets, support, strict=True)
    ]
    codec = ChannelGroupsLatentCodec(
        {f"y{k}": leaf for k, leaf in enumerate(leaves)},
        {f"y{k}": head for k, head in enumerate(heads)},
        groups=[width] * len(visible),
        support_slices=visible,
        side_in_context=True,
    )
    codec.eval()
    y, params = 3 * maps(width * len(visible)), maps(side, seed=1)
    reference = codec(y, params)
    choose_way(codec, fast=True)
    fast = codec(y, params)
    assert not torch.equal(fast["likelihoods"]["y"], reference["likelihoods"]["y"])
    torch.testing.assert_close(fast["y_hat"], reference["y_hat"], rtol=0, atol=1e-5)
    torch.testing.assert_close(fast["likelihoods"]["y"], reference["likelihoods"]["y"], rtol=0, atol=1e-5)
