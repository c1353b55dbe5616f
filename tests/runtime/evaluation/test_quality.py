"""PSNR by hand, of RGB and Y; what is rounded and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from compressai.transforms.functional import rgb2ycbcr

from codecspec.runtime.evaluation.quality import decibels_of_ms_ssim, quality
from codecspec.schema.errors import StreamError


def random_pair(channels: int = 3, side: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(1)
    x = torch.rand(1, channels, side, side + 7, generator=random)
    return x, x + 0.1 * torch.randn(x.shape, generator=random)


def by_hand(a: np.ndarray, b: np.ndarray, highest: float) -> float:
    return float(20 * np.log10(highest) - 10 * np.log10(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2)))


@pytest.mark.parametrize("depth", [8, 12])
def test_psnr_is_that_of_the_rounded_samples(depth: int) -> None:
    x, x_hat = random_pair()
    highest = 2**depth - 1
    a, b = (np.rint(np.clip(each.numpy(), 0, 1) * highest).astype(np.int64) for each in (x, x_hat))
    found = quality(x, x_hat, depth)
    assert found.psnr_rgb == pytest.approx(by_hand(a, b, highest), abs=1e-9)
    assert found.ms_ssim is None


def test_psnr_of_luma_is_that_of_compressais_conversion() -> None:
    x, x_hat = (each.clamp(0, 1).mul(255).round() / 255 for each in random_pair())
    a, b = (rgb2ycbcr(each.double())[:, :1].numpy() for each in (x, x_hat))
    assert quality(x, x_hat).psnr_y == pytest.approx(by_hand(a, b, 1), abs=1e-4)


def test_a_grey_image_is_its_own_luma() -> None:
    found = quality(*random_pair(channels=1))
    assert found.psnr_y == found.psnr_rgb


def test_equal_images() -> None:
    x, _ = random_pair(side=170)
    found = quality(x, x)
    assert (found.psnr_rgb, found.psnr_y) == (math.inf, math.inf)
    assert found.ms_ssim == pytest.approx(1, abs=1e-7)


def test_decibels_of_ms_ssim() -> None:
    assert [decibels_of_ms_ssim(value) for value in (0, 0.9, 0.999)] == pytest.approx([0, 10, 30])
    assert (decibels_of_ms_ssim(1), decibels_of_ms_ssim(None)) == (math.inf, None)


def test_an_image_that_is_not_finite_is_refused() -> None:
    x, x_hat = random_pair()
    x_hat[0, 1, 2, 3] = math.nan
    with pytest.raises(StreamError, match="not finite") as caught:
        quality(x, x_hat)
    assert caught.value.code == "E-image"
