"""What training sees: straight-through z_hat and y_hat where the spec says so, noisy likelihoods, gradients to all."""

from __future__ import annotations

import pytest
import torch

from codecspec.runtime.codec import Codec
from tests.runtime.small_codecs import SMALL, images, small


def bottleneck_of(codec: Codec) -> torch.nn.Module:
    return codec.latent_codec.z.entropy_bottleneck


def seen_by_h_s(codec: Codec, x: torch.Tensor) -> torch.Tensor:
    """The z_hat that the hyper-synthesis gets in a forward pass."""
    seen: list[torch.Tensor] = []
    handle = codec.latent_codec.h_s.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    codec(x)
    handle.remove()
    return seen[0]


def test_z_hat_of_wacnn_is_rounded_in_training() -> None:
    codec = small("wacnn").train()
    bottleneck_of(codec).quantiles.data[:, 0, 1] = 0.25
    z_hat = seen_by_h_s(codec, images(1, 64, 64))
    assert torch.equal((z_hat - 0.25).round(), z_hat - 0.25)


def test_z_hat_of_the_plain_models_is_noisy_in_training() -> None:
    z_hat = seen_by_h_s(small("mbt2018-mean").train(), images(1, 64, 64))
    assert not torch.equal(z_hat.round(), z_hat)


def test_likelihoods_are_noisy_in_training_and_fixed_in_eval() -> None:
    codec = small("wacnn")
    x = images(1, 64, 64)
    with torch.no_grad():
        assert torch.equal(codec(x)["likelihoods"]["y"], codec(x)["likelihoods"]["y"])
        codec.train()
        first, second = codec(x)["likelihoods"], codec(x)["likelihoods"]
    for name in ("y", "z"):
        assert not torch.equal(first[name], second[name])


def test_y_hat_of_wacnn_is_the_same_in_training_and_eval() -> None:
    """Straight-through values are the rounded ones, so x_hat does not depend on the mode."""
    codec = small("wacnn")
    x = images(1, 64, 64)
    with torch.no_grad():
        in_eval = codec(x)["x_hat"]
        in_training = codec.train()(x)["x_hat"]
    assert torch.allclose(in_eval, in_training, atol=1e-5)


@pytest.mark.parametrize("name", sorted(SMALL))
def test_gradients_reach_every_parameter(name: str) -> None:
    torch.manual_seed(0)  # STF drops blocks at random, and a block that is dropped learns nothing
    codec = small(name).train()
    out = codec(images(2, 128, 128))
    seen = [*out["likelihoods"].values(), *out.get("aux_likelihoods", {}).values()]
    rate = sum(-p.log2().sum() for p in seen)
    (out["x_hat"].square().sum() + rate).backward()
    for key, parameter in codec.named_parameters():
        if key.endswith("quantiles"):
            assert parameter.grad is None or not parameter.grad.any(), key
        else:
            assert parameter.grad is not None, key
            assert parameter.grad.isfinite().all(), key
            assert parameter.grad.any(), key


@pytest.mark.parametrize("name", sorted(SMALL))
def test_quantiles_learn_from_the_auxiliary_loss_alone(name: str) -> None:
    codec = small(name).train()
    codec.aux_loss().backward()
    reached = [key for key, parameter in codec.named_parameters() if parameter.grad is not None]
    aux = ["aux_entropy_model.y_entropy_bottleneck.quantiles"] if codec.spec.aux else []
    latent = "y" if codec.spec.latent_codec.type == "factorized" else "z"
    assert sorted(reached) == [*aux, f"latent_codec.{latent}.entropy_bottleneck.quantiles"]
    assert all(codec.get_parameter(key).grad.any() for key in reached)
