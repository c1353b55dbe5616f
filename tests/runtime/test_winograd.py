"""Convolutions through tiles: the plain convolution to rounding errors, whole codecs by them too."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from codecspec.runtime.latent_codecs.channel_groups import ChannelGroupsLatentCodec
from codecspec.runtime.latent_codecs.lrp_gaussian import LRPGaussianLatentCodec
from codecspec.runtime.latent_codecs.mean_scale_head import build_mean_scale_head
from codecspec.runtime.layers import seen_maps, winograd
from codecspec.runtime.layers.entropy_transform import make_entropy_transform
from codecspec.runtime.layers.seen_maps import SeenMaps, TileStore
from codecspec.runtime.layers.two_ways import choose_way
from tests.runtime.small_codecs import images, small


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small nets over small maps go through tiles too."""
    monkeypatch.setattr(winograd, "MIN_WEIGHTS", 0)
    monkeypatch.setattr(winograd, "MIN_POSITIONS", 0)


def conv(channels: int, out: int, **options: Any) -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(channels, out, 3, padding=1, **options).double().requires_grad_(False)


def maps(channels: int, n: int = 2, height: int = 6, width: int = 8, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, channels, height, width, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("size", [(1, 1, 1), (2, 6, 8), (1, 7, 5), (3, 2, 9)])
@pytest.mark.parametrize("strip", [winograd.STRIP_BYTES, 1])
@pytest.mark.parametrize("bias", [True, False])
def test_it_is_the_plain_convolution(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int, int], strip: int, bias: bool
) -> None:
    monkeypatch.setattr(winograd, "STRIP_BYTES", strip)
    layer, x = conv(5, 3, bias=bias), maps(5, *size)
    found = winograd.convolved(x.permute(0, 2, 3, 1), layer).permute(0, 3, 1, 2)
    torch.testing.assert_close(found, layer(x), rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    "options", [{"stride": 2}, {"dilation": 2}, {"groups": 2}, {"padding_mode": "circular"}, {"kernel_size": 5}]
)
def test_other_convolutions_are_not_its(always: None, options: dict[str, Any]) -> None:
    x = maps(4)
    assert winograd.suits(conv(4, 4), x)
    kernel = options.pop("kernel_size", 3)
    assert not winograd.suits(nn.Conv2d(4, 4, kernel, padding=1, **options).double(), x)
    assert not winograd.suits(nn.Conv2d(4, 4, 3, padding=0).double(), x)
    assert not winograd.suits(nn.GELU(), x)
    assert not winograd.suits(conv(4, 4).half(), x.half())
    assert not winograd.suits(conv(4, 4).to("meta"), x.to("meta"))


def test_maps_beside_each_other_are_convolved_as_joined(always: None) -> None:
    side, first, second = maps(4), maps(2, seed=1), maps(3, seed=2)
    store = TileStore(side, 9)
    seen = SeenMaps([side], [0], store)
    for part in (first, second, second + 1):  # the last in the place of the one before
        more = seen.beside(part)
        torch.testing.assert_close(
            more.convolved(layer := conv(more.joined().shape[1], 3)), layer(more.joined()), rtol=0, atol=1e-14
        )
        seen = more if part is first else seen
    apart = SeenMaps([second, side[:, :2], first], [6, 0, 4], store)  # in another order than they are stored
    layer = conv(7, 3)
    torch.testing.assert_close(apart.convolved(layer), layer(apart.joined()), rtol=0, atol=1e-14)


def test_tiles_are_made_once(always: None, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    write = winograd.write_tiles
    monkeypatch.setattr(winograd, "write_tiles", lambda padded, out: [made.append(out.shape[-1]), write(padded, out)])
    seen = SeenMaps.of(maps(4))
    for _ in range(2):
        seen.convolved(conv(4, 3))
        seen.beside(maps(2)).convolved(conv(6, 3))
    assert made == [4, 2, 2]


@pytest.mark.parametrize("room", [6, 5])
def test_what_has_no_room_is_joined(always: None, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    if room == 6:
        monkeypatch.setattr(seen_maps, "MAX_STORE_BYTES", 100)
    x, layer = maps(4), conv(6, 3)
    seen = SeenMaps.of(x, room=room - 4).beside(maps(2))
    assert torch.equal(seen.convolved(layer), layer(seen.joined()))


def test_changed_weights_are_seen(always: None) -> None:
    net = make_entropy_transform(4, 2, widths=[6]).double().requires_grad_(False)
    x = maps(4)
    choose_way(net, fast=True)
    before = net(x)
    net[0].weight.data *= 2
    assert not torch.equal(net(x), before)
    fast = net(x)
    choose_way(net, fast=False)
    torch.testing.assert_close(fast, net(x), rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", ["wacnn", "stf", "tcm", "cca-aux"])
@pytest.mark.parametrize("size", [(2, 64, 64), (1, 100, 70)])
def test_codecs_decode_what_forward_says(always: None, name: str, size: tuple[int, int, int]) -> None:
    codec = small(name)
    x = images(*size)
    with torch.no_grad():
        reference = codec(x)
        codec.numerics = "fast"
        fast = codec(x)
        coded = codec.compress(x)
        decoded = codec.decompress(coded["strings"], coded["shape"])["x_hat"]
    assert torch.equal(decoded, fast["x_hat"].clamp(0, 1))
    likelihoods, expected = (out["likelihoods"]["y"] for out in (fast, reference))
    torch.testing.assert_close(likelihoods, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(fast["x_hat"], reference["x_hat"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("visible", [[[], [0], [], [0, 1], [3]], [[], [], [1], [2, 0], [0, 1, 2, 3]]])
@pytest.mark.parametrize("split", [6, 4, 0])
def test_any_slices_may_be_seen(always: None, visible: list[list[int]], split: int) -> None:
    """Also where a slice is coded in the place of one that is seen later."""
    torch.manual_seed(0)
    side, width = 12, 4
    support = [side - split + width * len(seen) for seen in visible]
    heads = [build_mean_scale_head(width, c, widths=[9], side_split=split, emit_mean_support="pre") for c in support]
    nets = [make_entropy_transform(c + width, width, widths=[9]) for c in support]
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
    codec.double().eval()
    y, params = 3 * maps(width * len(visible)), maps(side, seed=1)
    with torch.no_grad():
        reference = codec(y, params)
        choose_way(codec, fast=True)
        fast = codec(y, params)
    assert not torch.equal(fast["likelihoods"]["y"], reference["likelihoods"]["y"])
    torch.testing.assert_close(fast["y_hat"], reference["y_hat"], rtol=0, atol=1e-11)
    torch.testing.assert_close(fast["likelihoods"]["y"], reference["likelihoods"]["y"], rtol=0, atol=1e-11)
