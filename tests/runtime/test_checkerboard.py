"""Checkerboard leaves by themselves: odd sizes, other hosts, mixed with other leaves."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from codecspec import compile_spec
from codecspec.compiler.build import build
from codecspec.compiler.lower import lower
from codecspec.runtime.codec import Codec
from codecspec.runtime.latent_codecs.checkerboard import CheckerboardLatentCodec
from codecspec.runtime.layers.two_ways import choose_way
from codecspec.schema.errors import StreamError
from codecspec.schema.load import load_spec, parse_spec
from tests.golden.golden_models import fill
from tests.runtime.small_codecs import SMALL, images, small
from tests.schema.bad_spec import GROUPS, spoilt


def compiled(text: str) -> Codec:
    codec = build(lower(parse_spec(text)))
    fill(codec, 1.2)
    return codec


def round_trips(codec: Codec, height: int = 70, width: int = 51) -> bool:
    x = images(2, height, width)
    with torch.no_grad():
        x_hat = codec(x)["x_hat"].clamp(0, 1)
    return torch.equal(codec.decompress(**codec.compress(x))["x_hat"], x_hat)


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("parity", ["even", "odd"])
@pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 1), (3, 5), (4, 4), (5, 3), (1, 7)], ids=str)
def test_any_size_of_a_latent(parity: str, size: tuple[int, int], fast: bool) -> None:
    """Passes may differ in length, and the second may be empty."""
    codec = small("elic")
    codec.prepare_tables()
    leaf: Any = codec.latent_codec.y["y1"]
    assert isinstance(leaf, CheckerboardLatentCodec)
    leaf.parity = parity
    generator = torch.Generator().manual_seed(1)
    y = 5 * torch.randn(2, 5, *size, generator=generator)
    params = torch.randn(2, leaf.entropy_parameters[0].in_channels - 10, *size, generator=generator)
    with torch.no_grad():
        reference = leaf(y, params)
        choose_way(leaf, fast=fast)
        out, coded = leaf(y, params), leaf.compress(y, params)
        torch.testing.assert_close(out, reference, rtol=1e-5, atol=1e-5)
        assert torch.equal(coded["y_hat"], out["y_hat"])
        for shape in (coded["shape"], (5, *coded["shape"])):
            assert torch.equal(leaf.decompress(coded["strings"], shape, params)["y_hat"], out["y_hat"])
    assert out["y_hat"].unique().numel() >= min(8, y.numel())


def test_the_fast_way_runs_the_net_over_each_position_once() -> None:
    leaf: Any = small("elic").latent_codec.y["y1"]
    seen: list[int] = []
    leaf.entropy_parameters[0].register_forward_pre_hook(lambda _, args: seen.append(args[0][0, 0].numel()))
    params = torch.zeros(1, leaf.entropy_parameters[0].in_channels - 10, 3, 5)
    with torch.no_grad():
        choose_way(leaf, fast=False)
        leaf(torch.zeros(1, 5, 3, 5), params)
        choose_way(leaf, fast=True)
        leaf(torch.zeros(1, 5, 3, 5), params)
        assert seen == [15, 15, 8, 7]
        leaf.entropy_parameters[0] = torch.nn.Conv2d(params.shape[1] + 10, 5, 3, padding=1)
        assert not leaf._by_halves(params)


def test_anchors_do_not_see_and_the_rest_sees_only_anchors() -> None:
    """A change of y at the rest moves no other y_hat; one at an anchor moves the rest around it."""
    leaf: Any = small("elic").latent_codec.y["y3"]
    y, params = torch.randn(1, 12, 8, 8), torch.zeros(1, leaf.entropy_parameters[0].in_channels - 24, 8, 8)
    with torch.no_grad():
        likelihoods = [leaf(y, params)["likelihoods"]["y"]]
        for row, column in ((3, 4), (4, 4)):
            moved = y.clone()
            moved[:, :, row, column] += 3
            likelihoods.append(leaf(moved, params)["likelihoods"]["y"])
    before, rest, anchor = likelihoods
    changed = (before != rest).any(dim=1)[0].nonzero().tolist()
    assert changed == [[3, 4]]
    changed = (before != anchor).any(dim=1)[0].nonzero().tolist()
    assert [4, 4] in changed
    assert len(changed) > 4
    assert all((row + column) % 2 for row, column in changed if [row, column] != [4, 4])


def test_a_checkerboard_codes_all_of_y() -> None:
    codec = compiled(spoilt("{type: gaussian}", "{type: checkerboard, parameters: [24], kernel: 3}"))
    assert round_trips(codec)


def test_after_a_mean_scale_context_and_beside_another_leaf() -> None:
    leaves = "[{type: lrp_gaussian, widths: [8], count: 1}, {type: checkerboard, parameters: [9]}]"
    codec = compiled(spoilt("{type: lrp_gaussian, widths: [8]}", leaves, GROUPS))
    assert len(codec.compress(images(1, 64, 64))["strings"]) == 1 + 3 * 2 + 1
    assert round_trips(codec)


def test_noise_is_noise() -> None:
    text = spoilt("{type: gaussian}", "{type: checkerboard, parameters: [], quantizer: noise}")
    codec = compiled(text).train()
    y = codec.g_a(images(1, 64, 64))
    y_hat = codec.latent_codec(y)["y_hat"]
    difference = (y_hat - y).abs()
    assert difference.max() <= 0.5 + 1e-5
    assert difference.unique().numel() > 100


def test_a_missing_pass_is_refused() -> None:
    codec = small("elic")
    x = images(1, 64, 64)
    coded = codec.compress(x)
    with pytest.raises(StreamError, match="8 parts of strings, and this model codes in 9"):
        codec.decompress(coded["strings"][1:], coded["shape"])
    leaf: Any = codec.latent_codec.y["y0"]
    with pytest.raises(StreamError, match="1 parts of strings, and it is coded in 2"):
        leaf.decompress([[b""]], (4, 4), torch.zeros(1, 24, 4, 4))


def test_a_ramp_and_its_widths_are_one_spec() -> None:
    """The canonical form has the widths, so the hash does not depend on how they are said."""
    params = SMALL["elic"]
    ramp = lower(load_spec("elic", **params))
    leaves = [leaf.model_dump(exclude_none=True) for leaf in ramp.spec.latent_codec.y.leaf]
    assert [leaf["parameters"] for leaf in leaves] == [(24, 24), (32, 24), (29, 24), (56, 40)]
    y = {"leaf": leaves}
    written = load_spec({"codecspec": 1, "extends": "elic", "name": "written", "latent_codec": {"y": y}}, **params)
    assert compile_spec(written).spec_hash == compile_spec("elic", **params).spec_hash
