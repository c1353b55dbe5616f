"""CompressAI's zoo, ours: same weights, same float32 outputs, bit for bit, and each decodes the other's strings."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from compressai.models import (
    Cheng2020Anchor,
    Cheng2020Attention,
    CompressionModel,
    FactorizedPrior,
    FactorizedPriorReLU,
    JointAutoregressiveHierarchicalPriors,
    MeanScaleHyperprior,
    ScaleHyperprior,
)

from codecspec import compile_spec
from codecspec.compiler.convert import from_canonical
from codecspec.compiler.layouts import layouts
from codecspec.compiler.lower import lower
from codecspec.compiler.saved_model import with_weights
from codecspec.runtime.codec import Codec
from codecspec.schema.load import load_spec
from tests.golden.golden_models import fill
from tests.runtime.small_codecs import images

MODELS: dict[str, Any] = {
    "bmshj2018-factorized": FactorizedPrior,
    "bmshj2018-factorized-relu": FactorizedPriorReLU,
    "bmshj2018-hyperprior": ScaleHyperprior,
    "mbt2018-mean": MeanScaleHyperprior,
    "mbt2018": JointAutoregressiveHierarchicalPriors,
    "cheng2020-anchor": Cheng2020Anchor,
    "cheng2020-attn": Cheng2020Attention,
}
PARAMS = [{"N": 12, "M": 18}, {"N": 128, "M": 192}]
GAINS = {"cheng2020-anchor": 1.0, "cheng2020-attn": 0.9}
"""Of the weight formula; 1.3 elsewhere."""


def params_of(name: str, params: dict[str, int]) -> dict[str, int]:
    """Cheng's models have one width."""
    return {"N": params["N"]} if name.startswith("cheng") else params


@pytest.fixture(params=[(name, params) for name in MODELS for params in PARAMS], ids=lambda p: f"{p[0]}-{p[1]['N']}")
def pair(request: pytest.FixtureRequest) -> tuple[str, CompressionModel, Codec]:
    """(name, theirs with formula weights, ours with their weights)."""
    name, params = request.param
    params = params_of(name, params)
    theirs = fill(MODELS[name](**params).eval(), GAINS.get(name, 1.3))
    theirs.update()
    ours, conversion = with_weights(lower(load_spec(name, **params)), theirs.state_dict())
    assert conversion.layout == "compressai-1.2"
    ours.numerics = "reference"
    return name, theirs, ours


def test_forward_is_theirs(pair: tuple[str, CompressionModel, Codec]) -> None:
    _, theirs, ours = pair
    x = images(2, 128, 64)
    with torch.no_grad():
        their_out, our_out = theirs(x), ours(x)
    assert torch.equal(their_out["x_hat"], our_out["x_hat"])
    assert their_out["likelihoods"].keys() == our_out["likelihoods"].keys()
    for name, likelihoods in their_out["likelihoods"].items():
        assert torch.equal(likelihoods, our_out["likelihoods"][name])


def test_strings_are_theirs_and_cross(pair: tuple[str, CompressionModel, Codec]) -> None:
    _, theirs, ours = pair
    x = images(2, 64, 128)
    with torch.no_grad():
        their_coded, our_coded = theirs.compress(x), ours.compress(x)
        assert their_coded["strings"] == our_coded["strings"]
        their_decoded = theirs.decompress(our_coded["strings"], their_coded["shape"])["x_hat"]
    our_decoded = ours.decompress(their_coded["strings"], (64, 128))["x_hat"]
    assert torch.equal(their_decoded, our_decoded)
    ours_of_ours = ours.decompress(our_coded["strings"], our_coded["shape"])["x_hat"]
    assert torch.equal(ours_of_ours, our_decoded)


def test_theirs_loads_ours(pair: tuple[str, CompressionModel, Codec]) -> None:
    name, theirs, _ = pair
    params = params_of(name, {"N": theirs.N, "M": theirs.M})
    ours = fill(compile_spec(name, numerics="reference", **params), 0.8)
    layout = next(layout for layout in layouts() if layout.name == "compressai-1.2" and name in layout.families)
    exported = from_canonical(ours.state_dict(), layout).tensors
    fresh = MODELS[name](**params).eval()
    fresh.load_state_dict(exported, strict=True)
    x = images(1, 64, 64)
    with torch.no_grad():
        assert torch.equal(fresh(x)["x_hat"], ours(x)["x_hat"])


def test_in_training_the_plain_models_are_theirs_too(pair: tuple[str, CompressionModel, Codec]) -> None:
    """Noise in the same places, drawn in the same order."""
    _, theirs, ours = pair
    x = images(2, 64, 64)
    torch.manual_seed(3)
    their_out = theirs.train()(x)
    torch.manual_seed(3)
    our_out = ours.train()(x)
    assert torch.equal(their_out["x_hat"], our_out["x_hat"])
    assert torch.equal(their_out["likelihoods"]["y"], our_out["likelihoods"]["y"])


def test_their_training_tools_work_on_ours() -> None:
    from compressai.losses import RateDistortionLoss
    from compressai.optimizers import net_aux_optimizer

    ours = compile_spec("mbt2018-mean", N=8, M=12).train()
    optimizers = net_aux_optimizer(ours, {"net": {"type": "Adam", "lr": 1e-4}, "aux": {"type": "Adam", "lr": 1e-3}})
    before = ours.aux_loss().item()
    loss = RateDistortionLoss()(ours(images(1, 64, 64)), images(1, 64, 64))["loss"]
    loss.backward()
    optimizers["net"].step()
    ours.aux_loss().backward()
    optimizers["aux"].step()
    assert ours.aux_loss().item() != before
    assert isinstance(ours, CompressionModel)
