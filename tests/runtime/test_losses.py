"""The CCA loss, term by term, against arithmetic by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from compressai.losses import RateDistortionLoss
from compressai.losses.rate_distortion import ms_ssim

from codecspec.runtime.losses import CCARateDistortionLoss
from codecspec.schema.errors import BuildError
from tests.runtime.small_codecs import images, small

X = torch.tensor([[[[0.0, 0.5], [1.0, 0.25]]] * 3] * 2)
X_HAT = X + 0.1
"""Two images of 2 x 2 pixels: P = 8."""


def by_hand() -> dict[str, Any]:
    """y of 4 samples: 1 bit each (2 without the most recent slice, 3 by itself); z of 2 samples, 4 bits each."""
    return {
        "x_hat": X_HAT,
        "likelihoods": {"y": torch.full((2, 2, 1, 1), 0.5), "z": torch.full((2, 1, 1, 1), 0.0625)},
        "aux_likelihoods": {"y_aux": torch.full((2, 2, 1, 1), 0.125), "y_cca": torch.full((2, 2, 1, 1), 0.25)},
    }


def test_each_term_by_hand() -> None:
    out = CCARateDistortionLoss(lmbda=0.05, beta=3.0, alpha=0.5)(by_hand(), X)
    mse, bpp, cca, aux2 = 0.01, (4 * 1 + 2 * 4) / 8, (4 * 1 - 4 * 2) / 8, 4 * 0.25 * 3 / 8
    assert out.keys() == {"loss", "mse_loss", "bpp_loss", "cca_loss", "aux2_loss"}
    assert out["mse_loss"].item() == pytest.approx(mse)
    assert out["bpp_loss"].item() == pytest.approx(bpp)
    assert out["cca_loss"].item() == pytest.approx(cca)
    assert out["aux2_loss"].item() == pytest.approx(aux2)
    assert out["loss"].item() == pytest.approx(0.05 * 255**2 * mse + 3 * bpp + 0.5 * cca + aux2)


def test_the_authors_weights_are_the_defaults() -> None:
    loss = CCARateDistortionLoss()
    assert (loss.lmbda, loss.alpha) == (0.05, 1.0)
    assert isinstance(loss, RateDistortionLoss)


@pytest.mark.parametrize("metric", ["mse", "ms-ssim"])
def test_on_a_codec(metric: str) -> None:
    """Term by term out of a forward pass in training, sums in float64."""
    x = images(2, 192, 192)
    torch.manual_seed(0)
    output = small("cca-aux").train()(x)
    out = CCARateDistortionLoss(lmbda=0.7, beta=2.0, alpha=0.3, metric=metric)(output, x)

    def bits(p: torch.Tensor) -> torch.Tensor:
        return -torch.log2(p.double())

    y, z = output["likelihoods"]["y"], output["likelihoods"]["z"]
    y_aux, y_cca = output["aux_likelihoods"]["y_aux"], output["aux_likelihoods"]["y_cca"]
    pixels = 2 * 192 * 192
    bpp = (bits(y).sum() + bits(z).sum()) / pixels
    cca = (bits(y).sum() - bits(y_cca).sum()) / pixels
    aux2 = (y_cca.double() * bits(y_aux)).sum() / pixels
    if metric == "mse":
        distortion = 255**2 * (output["x_hat"] - x).double().square().mean()
    else:
        distortion = 1 - ms_ssim(output["x_hat"], x, data_range=1).double()
    assert out["bpp_loss"].item() == pytest.approx(bpp.item(), rel=1e-5)
    assert out["cca_loss"].item() == pytest.approx(cca.item(), rel=1e-3)
    assert out["aux2_loss"].item() == pytest.approx(aux2.item(), rel=1e-5)
    loss = 0.7 * distortion + 2 * bpp + 0.3 * cca + aux2
    assert out["loss"].item() == pytest.approx(loss.item(), rel=1e-5)


def test_nothing_is_detached() -> None:
    """The branch's terms alone reach g_a and h_s, and its own density."""
    codec = small("cca-aux").train()
    x = images(1, 64, 64)
    out = CCARateDistortionLoss()(codec(x), x)
    (out["cca_loss"] + out["aux2_loss"]).backward()
    for key in (
        "g_a.0.weight",
        "latent_codec.h_a.0.weight",
        "latent_codec.h_s.h_mean_s.0.weight",
        "aux_entropy_model.y_entropy_bottleneck.matrices.0",
        "aux_entropy_model.inner_codec.channel_context.y4.scale_cc.0.weight",
    ):
        gradient = codec.get_parameter(key).grad
        assert gradient is not None, key
        assert gradient.any(), key
        assert gradient.isfinite().all(), key


def test_bits_are_those_of_the_likelihoods() -> None:
    assert math.isclose(CCARateDistortionLoss(beta=0, alpha=0, lmbda=0)(by_hand(), X)["loss"].item(), 0.375)


def test_a_codec_without_the_branch_is_refused() -> None:
    x = images(1, 64, 64)
    with pytest.raises(BuildError, match="no auxiliary branch"):
        CCARateDistortionLoss()(small("cca")(x), x)
