"""MS-SSIM against pytorch-msssim."""

from __future__ import annotations

import numpy as np
import pytest
import pytorch_msssim
import torch

from codecspec.runtime.evaluation.ms_ssim import ms_ssim


def pair(height: int, width: int, noise: float, channels: int = 3, highest: int = 255) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(height + width)
    yy, xx = np.mgrid[:height, :width] / 40
    image = np.stack([0.5 + 0.4 * np.sin(3 * xx + i) * np.cos(2 * yy - i) for i in range(channels)])
    other = image + noise * random.standard_normal(image.shape)
    return tuple(np.round(np.clip(each, 0, 1) * highest).astype(np.float32) for each in (image, other))  # type: ignore[return-value]


@pytest.mark.parametrize("size", [(161, 161), (256, 192), (203, 331), (165, 174)])
@pytest.mark.parametrize("noise", [0.003, 0.05, 0.5])
def test_it_is_that_of_pytorch_msssim(size: tuple[int, int], noise: float) -> None:
    image, other = pair(*size, noise)
    expected = pytorch_msssim.ms_ssim(
        torch.from_numpy(image)[None].double(), torch.from_numpy(other)[None].double(), data_range=255.0
    )
    assert ms_ssim(image, other, 255) == pytest.approx(float(expected), abs=2e-6)


def test_other_depths_and_one_channel() -> None:
    image, other = pair(180, 170, 0.1, channels=1, highest=4095)
    given = (torch.from_numpy(each)[None].double() for each in (image, other))
    assert ms_ssim(image, other, 4095) == pytest.approx(
        float(pytorch_msssim.ms_ssim(*given, data_range=4095)), abs=2e-6
    )


def test_where_it_is_dark_the_constants_count() -> None:
    """Of samples up to 30, of which one image has half as much light again."""
    image, other = (np.round(each / 255 * 20).astype(np.float32) for each in pair(170, 180, 0.02))
    other *= 1.5
    given = (torch.from_numpy(each)[None].double() for each in (image, other))
    expected = float(pytorch_msssim.ms_ssim(*given, data_range=255))
    assert expected < 0.98
    assert ms_ssim(image, other, 255) == pytest.approx(expected, abs=2e-6)


def test_equal_images_have_one() -> None:
    image, _ = pair(170, 170, 0)
    assert ms_ssim(image, image, 255) == pytest.approx(1, abs=1e-7)


def test_images_without_correlation_have_zero() -> None:
    image, _ = pair(170, 170, 0)
    assert ms_ssim(image, 255 - image, 255) == 0


def test_an_image_under_161_pixels_has_none() -> None:
    assert ms_ssim(*pair(160, 400, 0.1), 255) is None
    assert ms_ssim(*pair(400, 160, 0.1), 255) is None
