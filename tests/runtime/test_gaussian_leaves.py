"""The Gaussian leaves: which channels are scales, means and support; rounding; latent residual prediction by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from codecspec.runtime.coding_tables import TableKeeper
from codecspec.runtime.latent_codecs.gaussian import GaussianLatentCodec
from codecspec.runtime.latent_codecs.gaussian_leaf import GaussianLeaf
from codecspec.runtime.latent_codecs.lrp_gaussian import LRPGaussianLatentCodec
from codecspec.schema.errors import StreamError

CHANNELS = 3
SUPPORT = 2
SIZE = (5, 4)
CHUNKS = [("scales", "means"), ("means", "scales"), ("scales",)]


class Mix(nn.Module):
    """A net whose output is easily computed: the sum of what it sees, once per channel of y, times 1, 2, 3."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x)
        return x.sum(1, keepdim=True) * torch.arange(1.0, CHANNELS + 1).view(1, -1, 1, 1) / 20


def parameters(batch: int = 2) -> dict[str, Tensor]:
    """Scales and means of y, and a support, and y itself."""
    generator = torch.Generator().manual_seed(0)

    def uniform(channels: int, low: float, high: float) -> Tensor:
        return torch.rand(batch, channels, *SIZE, generator=generator) * (high - low) + low

    return {
        "y": uniform(CHANNELS, -6, 6),
        "scales": uniform(CHANNELS, 0.5, 3),
        "means": uniform(CHANNELS, -2, 2),
        "support": uniform(SUPPORT, -1, 1),
    }


def ctx_params(names: tuple[str, ...]) -> Tensor:
    values = parameters()
    return torch.cat([values[name] for name in names], dim=1)


def rounded(y: Tensor, means: Tensor | None) -> Tensor:
    return y.round() if means is None else (y - means).round() + means


def likelihood(y_hat: Tensor, scales: Tensor, means: Tensor | float) -> Tensor:
    """Of a unit box around y_hat under Gaussian(means, scales), in float64."""
    normal = torch.distributions.Normal(torch.as_tensor(means, dtype=torch.float64), scales.double())
    return normal.cdf(y_hat.double() + 0.5) - normal.cdf(y_hat.double() - 0.5)


def round_trip(leaf: GaussianLeaf, y: Tensor, params: Tensor) -> tuple[dict[str, Any], Tensor]:
    TableKeeper().prepare(leaf)
    coded = leaf.compress(y, params)
    return coded, leaf.decompress(coded["strings"], coded["shape"], params)["y_hat"]


@pytest.mark.parametrize("chunks", CHUNKS, ids=" ".join)
def test_chunks_say_which_channels_are_what(chunks: tuple[str, ...]) -> None:
    leaf = GaussianLatentCodec(chunks=chunks).eval()
    params, values = ctx_params(chunks), parameters()
    means = values["means"] if "means" in chunks else None
    with torch.no_grad():
        out = leaf(values["y"], params)
    expected = rounded(values["y"], means)
    assert torch.equal(out["y_hat"], expected)
    want = likelihood(expected, values["scales"], 0.0 if means is None else means)
    torch.testing.assert_close(out["likelihoods"]["y"].double(), want, rtol=1e-3, atol=1e-6)
    assert leaf.channels_of(params) == CHANNELS


@pytest.mark.parametrize("chunks", CHUNKS, ids=" ".join)
def test_coding_gives_what_forward_gives(chunks: tuple[str, ...]) -> None:
    leaf = GaussianLatentCodec(chunks=chunks).eval()
    params, y = ctx_params(chunks), parameters()["y"]
    with torch.no_grad():
        y_hat = leaf(y, params)["y_hat"]
        coded, decoded = round_trip(leaf, y, params)
    assert torch.equal(decoded, y_hat)
    assert torch.equal(coded["y_hat"], y_hat)
    assert tuple(coded["shape"]) == SIZE == leaf.latent_shape(*SIZE)
    assert [len(part) for part in coded["strings"]] == [2]
    assert all(isinstance(string, bytes) for string in coded["strings"][0])


def test_chunks_in_the_wrong_order_do_not_decode_alike() -> None:
    """So the order above matters."""
    params, y = ctx_params(("scales", "means")), parameters()["y"]
    one, other = (GaussianLatentCodec(chunks=chunks).eval() for chunks in CHUNKS[:2])
    with torch.no_grad():
        assert not torch.equal(one(y, params)["y_hat"], other(y, params)["y_hat"])


def test_params_that_do_not_split_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter|longer"):
        GaussianLatentCodec(chunks=("scales",))(parameters()["y"], ctx_params(("scales", "means")))


def lrp(**options: Any) -> LRPGaussianLatentCodec:
    return LRPGaussianLatentCodec(Mix(), mean_support_trail_channels=SUPPORT, **options).eval()


@pytest.mark.parametrize("lrp_scale", [0.5, 0.25, 1.0, 0.0])
def test_latent_residual_prediction_by_hand(lrp_scale: float) -> None:
    leaf = lrp(lrp_scale=lrp_scale)
    values = parameters()
    params = ctx_params(("scales", "means", "support"))
    with torch.no_grad():
        out = leaf(values["y"], params)
    plain = rounded(values["y"], values["means"])
    seen = torch.cat([values["support"], plain], dim=1)
    expected = plain + lrp_scale * torch.tanh(Mix()(seen))
    assert torch.equal(out["y_hat"], expected)
    assert torch.equal(leaf.lrp_transform.seen[0], seen)
    assert float((out["y_hat"] - plain).abs().max()) <= lrp_scale + 1e-6
    assert torch.equal(out["y_hat"], plain) == (lrp_scale == 0)


def test_the_correction_is_not_coded() -> None:
    """Likelihoods and strings are those of the plain leaf; only what later nets see is corrected."""
    values = parameters()
    params = ctx_params(("scales", "means", "support"))
    leaf, plain = lrp(), GaussianLatentCodec().eval()
    with torch.no_grad():
        expected = plain(values["y"], params[:, : 2 * CHANNELS])
        found = leaf(values["y"], params)
        plain_coded, _ = round_trip(plain, values["y"], params[:, : 2 * CHANNELS])
        coded, decoded = round_trip(leaf, values["y"], params)
    assert torch.equal(found["likelihoods"]["y"], expected["likelihoods"]["y"])
    assert coded["strings"] == plain_coded["strings"]
    assert torch.equal(decoded, found["y_hat"])
    assert torch.equal(coded["y_hat"], found["y_hat"])
    assert leaf.channels_of(params) == CHANNELS


def test_an_lrp_may_have_no_support() -> None:
    leaf = LRPGaussianLatentCodec(Mix(), mean_support_trail_channels=0).eval()
    values = parameters()
    params = ctx_params(("scales", "means"))
    plain = rounded(values["y"], values["means"])
    with torch.no_grad():
        assert torch.equal(leaf(values["y"], params)["y_hat"], plain + 0.5 * torch.tanh(Mix()(plain)))


LEAVES: dict[str, tuple[Any, tuple[str, ...]]] = {
    "gaussian": (GaussianLatentCodec, ("scales", "means")),
    "zero mean": (lambda **options: GaussianLatentCodec(chunks=("scales",), **options), ("scales",)),
    "lrp": (lambda **options: lrp(lrp_scale=0.0, **options), ("scales", "means", "support")),
}


@pytest.mark.parametrize("kind", sorted(LEAVES))
@pytest.mark.parametrize("quantizer", ["noise", "ste"])
def test_what_later_nets_see_in_training(kind: str, quantizer: str) -> None:
    """Noise in (-1/2, 1/2), or rounded values with the gradient of the identity; likelihoods of noise either way."""
    make, names = LEAVES[kind]
    leaf = make(quantizer=quantizer).train()
    values = parameters()
    means = values["means"] if "means" in names else None
    y = values["y"].requires_grad_()
    out = leaf(y, ctx_params(names))
    difference = (out["y_hat"] - y).detach()
    if quantizer == "ste":
        torch.testing.assert_close(out["y_hat"].detach(), rounded(y.detach(), means))
    else:
        assert float(difference.abs().max()) <= 0.5 + 1e-5
        assert not torch.allclose(out["y_hat"].detach(), rounded(y.detach(), means), atol=1e-3)
    out["y_hat"].sum().backward()
    assert torch.equal(y.grad, torch.ones_like(y))
    again = leaf(y, ctx_params(names))
    assert not torch.equal(again["likelihoods"]["y"], out["likelihoods"]["y"])


@pytest.mark.parametrize("kind", sorted(LEAVES))
def test_quantizers_do_not_differ_in_eval(kind: str) -> None:
    make, names = LEAVES[kind]
    y = parameters()["y"]
    noise, ste = (make(quantizer=quantizer).eval()(y, ctx_params(names)) for quantizer in ("noise", "ste"))
    assert torch.equal(noise["y_hat"], ste["y_hat"])
    assert torch.equal(noise["likelihoods"]["y"], ste["likelihoods"]["y"])


def test_defaults_are_those_of_the_language() -> None:
    assert GaussianLatentCodec().quantizer == "noise"
    assert GaussianLatentCodec().chunks == ("scales", "means")
    assert (LRPGaussianLatentCodec(Mix()).quantizer, LRPGaussianLatentCodec(Mix()).lrp_scale) == ("ste", 0.5)


@pytest.mark.parametrize("kind", sorted(LEAVES))
@pytest.mark.parametrize("num_parts", [0, 2])
def test_other_numbers_of_parts_are_refused(kind: str, num_parts: int) -> None:
    make, names = LEAVES[kind]
    leaf = make().eval()
    coded, _ = round_trip(leaf, parameters()["y"], ctx_params(names))
    with pytest.raises(StreamError, match=f"{num_parts} parts of strings, and it is coded in one") as caught:
        leaf.decompress(coded["strings"] * num_parts, SIZE, ctx_params(names))
    assert caught.value.code == "E-stream"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 2.0**31])
@pytest.mark.parametrize("kind", sorted(LEAVES))
def test_what_no_integer_stands_for_is_refused(kind: str, value: float) -> None:
    make, names = LEAVES[kind]
    leaf = make().eval()
    TableKeeper().prepare(leaf)
    y = parameters()["y"]
    y[1, 2, 3, 0] = value
    with pytest.raises(StreamError, match="cannot be coded; they must be finite, at most 2\\^30") as caught:
        leaf.compress(y, ctx_params(names))
    assert caught.value.code == "E-latent"
    assert caught.value.where == "y"
