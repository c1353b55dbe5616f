"""Training losses."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from codecspec.runtime.compressai_classes import RateDistortionLoss
from codecspec.schema.errors import BuildError


class CCARateDistortionLoss(RateDistortionLoss):
    """Rate, distortion and causal context adjustment (Han et al., CCA, NeurIPS 2024, section 3.3).

        loss = lmbda * D + beta * bpp + alpha * cca + aux2

        D     255^2 * MSE, or 1 - MS-SSIM
        bpp   bits of y and z, per pixel
        cca   bits of y, less its bits without the most recent slice, per pixel; negative where that slice helps
        aux2  what y_cca says y is, coded by the factorized density of y: sum(p_cca * -log2 p_aux), per pixel

    Nothing is detached: g_a, h_a and h_s learn from all of it.

    Args:
        lmbda: weight of the distortion; the authors fix it at 0.05 (for MSE).
        beta: weight of the rate, what the paper calls lambda.
        alpha: weight of the adjustment; the authors fix it at 1.
        metric: "mse" or "ms-ssim".
    """

    def __init__(self, lmbda: float = 0.05, beta: float = 1.0, alpha: float = 1.0, metric: str = "mse") -> None:
        super().__init__(lmbda=lmbda, metric=metric)
        self.beta = beta
        self.alpha = alpha

    def forward(self, output: Mapping[str, Any], target: Tensor) -> dict[str, Tensor]:
        """The loss of what a codec with `aux: {cca: ..}` gives in `forward`.

        Args:
            output: `x_hat`, `likelihoods` {y, z} and `aux_likelihoods` {y_aux, y_cca}.
            target: (N, C, H, W) the images.

        Returns:
            `loss` and its terms: `mse_loss` or `ms_ssim_loss`, `bpp_loss`, `cca_loss` and `aux2_loss`, unweighted.

        Raises:
            BuildError: `output` has no `aux_likelihoods`.
        """
        if "aux_likelihoods" not in output:
            message = "the codec has no auxiliary branch, and this loss is about it"
            raise BuildError("E-input", "output", message, "compile a spec with `aux: {cca: ..}`, such as cca-aux")
        out: dict[str, Tensor] = super().forward(output, target)
        num_pixels = target.shape[0] * target.shape[-2] * target.shape[-1]
        y_aux, y_cca = output["aux_likelihoods"]["y_aux"], output["aux_likelihoods"]["y_cca"]
        distortion = 1 - out["ms_ssim_loss"] if "ms_ssim_loss" in out else 255**2 * out["mse_loss"]
        out["cca_loss"] = (_bits(output["likelihoods"]["y"]).sum() - _bits(y_cca).sum()) / num_pixels
        out["aux2_loss"] = (y_cca * _bits(y_aux)).sum() / num_pixels
        out["loss"] = (
            self.lmbda * distortion + self.beta * out["bpp_loss"] + self.alpha * out["cca_loss"] + out["aux2_loss"]
        )
        return out


def _bits(likelihoods: Tensor) -> Tensor:
    """Bits of each sample."""
    return -likelihoods.log() / math.log(2)
