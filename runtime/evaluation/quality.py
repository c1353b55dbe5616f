"""How near a decoded image is to what was coded, both as the files hold them: samples rounded to the image's bits."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from codecspec.runtime.evaluation.ms_ssim import ms_ssim
from codecspec.schema.errors import StreamError

LUMA = (0.2126, 0.7152, 0.0722)
"""Y of R, G and B by ITU-R BT.709, as CompressAI's `rgb2ycbcr` has it."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Figures of one decoded image.

    Args:
        psnr_rgb: in dB, over all samples of all channels; infinite where the images are equal.
        psnr_y: in dB, of the luma (BT.709, not rounded); of a grey image its one channel.
        ms_ssim: 0 to 1, mean over the channels; None where a side is under 161 pixels.
    """

    psnr_rgb: float
    psnr_y: float
    ms_ssim: float | None


def decibels_of_ms_ssim(value: float | None) -> float | None:
    """-10 log10(1 - MS-SSIM); infinite for 1."""
    if value is None:
        return None
    return -10 * math.log10(1 - value) if value < 1 else math.inf


def quality(x: Tensor, x_hat: Tensor, bit_depth: int = 8) -> Quality:
    """The figures of x_hat against x.

    Args:
        x: (1, C, H, W) in [0, 1].
        x_hat: as x; may lie outside of [0, 1], and is clamped.
        bit_depth: bits a sample of the image that x came from.

    Raises:
        StreamError: x_hat is not finite.
    """
    from codecspec.runtime.evaluation.quality_kernels import squared_errors

    highest = 2**bit_depth - 1
    image, decoded = _samples(x, highest), _samples(x_hat, highest)
    if not np.isfinite(decoded).all():
        message = "the decoded image holds values that are not finite"
        raise StreamError("E-image", "x_hat", message, "look for NaN or exploding weights: codecspec doctor names them")
    of_all, of_luma = squared_errors(image, decoded, np.array(LUMA if len(image) == 3 else (1.0,)))
    return Quality(
        psnr_rgb=_psnr(of_all / image.size, highest),
        psnr_y=_psnr(of_luma / image[0].size, highest),
        ms_ssim=ms_ssim(image, decoded, highest),
    )


def _samples(x: Tensor, highest: int) -> NDArray[np.float32]:
    """(C, H, W), whole numbers from 0 to `highest`, in this order in memory."""
    samples: NDArray[np.float32] = x[0].detach().float().clamp(0, 1).mul_(highest).round_().cpu().contiguous().numpy()
    return samples


def _psnr(mean_squared_error: float, highest: int) -> float:
    return 10 * math.log10(highest**2 / mean_squared_error) if mean_squared_error else math.inf
