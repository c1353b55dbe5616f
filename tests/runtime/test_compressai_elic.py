"""Both ELICs are CompressAI's own: same weights, same float32 outputs, bit for bit, and each decodes the other's
strings."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from compressai.models import CompressionModel
from compressai.models.sensetime import Elic2022Chandelier, Elic2022Official

from codecspec import compile_spec
from codecspec.compiler.convert import from_canonical
from codecspec.compiler.layouts import load_layout
from codecspec.compiler.lower import lower
from codecspec.compiler.saved_model import with_weights
from codecspec.runtime.codec import Codec
from codecspec.schema.load import load_spec
from tests.golden.golden_models import fill
from tests.runtime.small_codecs import images

MODELS: dict[str, Any] = {"elic": Elic2022Official, "elic-chandelier": Elic2022Chandelier}
PARAMS: list[dict[str, Any]] = [
    {"N": 12, "M": 24, "groups": [3, 5, 4, 12]},
    {"N": 10, "M": 23, "groups": [7, 1, 15]},
    {"N": 8, "M": 12, "groups": [12]},
    {"N": 192, "M": 320, "groups": [16, 16, 32, 64, 192]},
]

Pair = tuple[str, CompressionModel, Codec]


@pytest.fixture(
    scope="module",
    params=[(name, params) for name in MODELS for params in PARAMS],
    ids=lambda p: f"{p[0]}-{'-'.join(map(str, p[1]['groups']))}",
)
def pair(request: pytest.FixtureRequest) -> Pair:
    """(name, theirs with formula weights, ours with their weights)."""
    name, params = request.param
    theirs = fill(MODELS[name](**params).eval(), 1.0)
    theirs.update()
    ours, conversion = with_weights(lower(load_spec(name, **params)), theirs.state_dict())
    assert conversion.layout == "compressai-1.2"
    ours.numerics = "reference"
    return name, theirs, ours


@pytest.mark.parametrize("size", [(1, 64, 64), (2, 128, 64), (1, 192, 256)], ids=str)
def test_forward_is_theirs(pair: Pair, size: tuple[int, int, int]) -> None:
    _, theirs, ours = pair
    x = images(*size)
    with torch.no_grad():
        their_out, our_out = theirs(x), ours(x)
    assert torch.equal(their_out["x_hat"], our_out["x_hat"])
    assert their_out["likelihoods"].keys() == our_out["likelihoods"].keys()
    for name, likelihoods in their_out["likelihoods"].items():
        assert torch.equal(likelihoods, our_out["likelihoods"][name])


@pytest.mark.parametrize("size", [(2, 64, 128), (1, 128, 192)], ids=str)
def test_strings_are_theirs_and_cross(pair: Pair, size: tuple[int, int, int]) -> None:
    _, theirs, ours = pair
    x = images(*size)
    with torch.no_grad():
        their_coded, our_coded = theirs.compress(x), ours.compress(x)
        assert their_coded["strings"] == our_coded["strings"]
        their_decoded = theirs.decompress(our_coded["strings"], their_coded["shape"])["x_hat"]
    our_decoded = ours.decompress(their_coded["strings"], size[1:])["x_hat"]
    assert torch.equal(their_decoded.clamp(0, 1), our_decoded)


def test_theirs_loads_ours(pair: Pair) -> None:
    name, theirs, _ = pair
    params = next(params for params in PARAMS if params["groups"] == theirs.groups)
    ours = fill(compile_spec(name, numerics="reference", **params), 0.9)
    exported = from_canonical(ours.state_dict(), load_layout("compressai-1.2-elic")).tensors
    fresh = MODELS[name](**params).eval()
    fresh.load_state_dict(exported, strict=True)
    x = images(1, 64, 64)
    with torch.no_grad():
        assert torch.equal(fresh(x)["x_hat"], ours(x)["x_hat"])


def test_in_training_they_are_theirs_too(pair: Pair) -> None:
    """Noise in the same places, drawn in the same order; gradients too."""
    _, theirs, ours = pair
    x = images(2, 64, 64)
    outs, gradients = [], []
    for model in (theirs, ours):
        torch.manual_seed(3)
        out = model.train()(x)
        model.zero_grad()
        (out["x_hat"].square().sum() - out["likelihoods"]["y"].log().sum()).backward()
        gradients.append(model.g_a[0].weight.grad)
        outs.append(out)
        model.eval()
    assert torch.equal(outs[0]["x_hat"], outs[1]["x_hat"])
    assert torch.equal(outs[0]["likelihoods"]["y"], outs[1]["likelihoods"]["y"])
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-3, atol=1e-3 * float(gradients[0].abs().max()))


def test_the_other_parity_is_theirs_too() -> None:
    params = PARAMS[0]
    theirs = fill(Elic2022Official(**params).eval(), 1.0)
    theirs.update()
    for leaf in theirs.latent_codec["y"].latent_codec.values():
        leaf.anchor_parity, leaf.non_anchor_parity = "odd", "even"
    leaf_spec = {"type": "checkerboard", "parameters": {"ramp": 3, "min": "2*N"}, "parity": "odd"}
    spec = {"extends": "elic", "codecspec": 1, "name": "odd", "latent_codec": {"y": {"leaf": leaf_spec}}}
    ours, _ = with_weights(lower(load_spec(spec, **params)), theirs.state_dict())
    ours.numerics = "reference"
    x = images(2, 128, 64)
    with torch.no_grad():
        assert torch.equal(theirs(x)["x_hat"], ours(x)["x_hat"])
        assert theirs.compress(x)["strings"] == ours.compress(x)["strings"]
