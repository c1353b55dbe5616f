"""What the doctor says of figures that are given: each in its place and unit, and wrong from its threshold on."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from compressai.entropy_models import GaussianConditional
from PIL import Image
from torch import Tensor, nn

import codecspec as cs
from codecspec.cli.doctor import _lines
from codecspec.diagnosis import diagnose
from codecspec.diagnosis.diagnose import Diagnosis, _measured, _middle
from codecspec.diagnosis.finding import Finding, several
from codecspec.diagnosis.latents import latent_findings
from codecspec.diagnosis.tables import _difference
from codecspec.diagnosis.tensors import broken_tensors
from codecspec.diagnosis.trials import Trial, trial
from codecspec.runtime.evaluation.measurement import Measurement
from tests.runtime.small_codecs import small


def measured(num_bytes: int, psnr_rgb: float = 30.0) -> Measurement:
    """Of 100x100 pixels, for which 100,000 bits were expected."""
    return Measurement(100, 100, 8, num_bytes, 100_000.0, psnr_rgb, 50.0, None, 1.0, 1.0, 0, "the cause")


@pytest.mark.parametrize(
    ("num_bytes", "verdict"), [(13_380, "fine"), (13_382, "wrong"), (11_620, "fine"), (11_618, "wrong")]
)
def test_a_rate_is_wrong_from_5_percent_and_2048_bits(num_bytes: int, verdict: str) -> None:
    """Of 100,000 bits that is 7,048, either way."""
    assert _measured("x.png", measured(num_bytes), plain=30.0)[0].verdict == verdict


def test_figures_of_an_image_in_words() -> None:
    rate, picture = _measured("x.png", measured(13_750, 19.994), plain=19.995)
    assert rate.message == "x.png: 11.0000 bits per pixel coded, 10.0000 estimated (+10.0%); the cause"
    message = "x.png: PSNR 19.99 dB; its means over 16x16 pixels have 20.00 dB"
    assert (picture.verdict, picture.message) == ("wrong", message)
    assert _measured("x.png", measured(13_750, 19.994), plain=19.993)[1].verdict == "fine"
    rate, picture = _measured("x.png", measured(12_376, 20.0), plain=30.0)
    assert rate.message == "x.png: 9.9008 bits per pixel coded, 10.0000 estimated (-1.0%)"
    assert (picture.verdict, picture.message) == ("fine", "x.png: PSNR 20.00 dB")


def test_the_middle_of_an_image() -> None:
    codec: Any = SimpleNamespace(spec=SimpleNamespace(in_channels=3))
    x = torch.arange(600 * 700.0).reshape(1, 1, 600, 700)
    crop = _middle(x, codec)
    assert crop.shape == (1, 3, 512, 512)
    assert torch.equal(crop[0, 2], x[0, 0, 44:556, 94:606])
    assert torch.equal(_middle(x[..., :100, :50], codec)[0, 0], x[0, 0, :100, :50])


def test_four_images_are_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cs.save(small("mbt2018-mean"), tmp_path / "x.safetensors")
    for k in range(5):
        Image.new("RGB", (20 + k, 16), (90, 30 * k, 10)).save(tmp_path / f"{k}.png")
    widths: list[list[int]] = []
    monkeypatch.setattr(diagnose, "trial", lambda codec, crops: widths.append([crop.shape[-1] for crop in crops]))
    monkeypatch.setattr(diagnose, "try_variants", lambda tensors, found, crops: [])
    found = diagnose.diagnose(tmp_path / "x.safetensors", [tmp_path])
    assert widths == [[20, 21, 22, 23]]
    assert list(found.measured) == [f"{k}.png" for k in range(5)]


def test_a_trial_is_of_all_bits_and_the_mean_picture() -> None:
    """16 samples of 1/4 and one of 1/8 on 8x8 pixels, then 32 of 1/2 on 4x4: 67 bits on 80 pixels."""
    outs = iter(
        [
            {"y": torch.full((16,), 0.25), "z": torch.full((1,), 0.125)},
            {"y": torch.full((32,), 0.5)},
            {"y": torch.full((1,), math.nan)},
        ]
    )
    codec: Any = lambda x: {"likelihoods": next(outs), "x_hat": x + (51 if x.shape[-1] == 8 else 5.1) / 255}  # noqa: E731
    found = trial(codec, [torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 4, 4)])
    assert found is not None
    assert found.bpp == pytest.approx(67 / 80)
    psnr = [10 * math.log10(255**2 / error**2) for error in (51, 5)]
    assert found.psnr_rgb == pytest.approx(sum(psnr) / 2)
    assert trial(codec, [torch.zeros(1, 3, 4, 4)]) is None


def test_a_score_is_the_picture_at_one_bit_per_pixel() -> None:
    assert [Trial(rate, 30.0).score for rate in (1.0, 2.0, 0.25)] == [30.0, 25.0, 40.0]


class Scaled(nn.Module):
    """A codec whose y has these scales."""

    def __init__(self, scales: list[float]) -> None:
        super().__init__()
        self.latent_codec = GaussianConditional([0.5, 4.0], scale_bound=0.125)
        self.scales = torch.tensor(scales).reshape(1, 1, 1, -1)

    def forward(self, x: Tensor) -> None:
        self.latent_codec(torch.zeros_like(self.scales), self.scales)


@pytest.mark.parametrize(
    ("low", "high", "verdict", "hint"),
    [
        (995, 0, "fine", ""),
        (996, 0, "wrong", "the model predicts nothing about y"),
        (500, 10, "fine", ""),
        (500, 11, "wrong", "values under such scales need escape codes"),
    ],
)
def test_scales_are_wrong_from_their_shares_on(low: int, high: int, verdict: str, hint: str) -> None:
    codec: Any = Scaled([0.125] * low + [4.5] * high + [4.0] * (1000 - low - high))
    [found] = [each for each in latent_findings(codec, [torch.zeros(1)] * 2) if each.about == "scales"]
    assert (found.verdict, found.hint[: len(hint)]) == (verdict, hint)
    shares = f"{low / 10:.1f}% of the scales of y are at their lower bound, {high / 10:.1f}% beyond the last table"
    assert found.message == shares


CDF = torch.tensor([[0, 30_000, 60_000, 65_536], [0, 20_000, 65_536, 0]], dtype=torch.int32)
LENGTHS, OFFSETS = torch.tensor([4, 3]), torch.tensor([-1, 0])


@pytest.mark.parametrize(
    ("row", "column", "by", "said"),
    [
        (0, 1, 16, ""),
        (0, 1, -17, "1 of 2 distributions differ, by up to 0.000"),
        (1, 1, 6_554, "1 of 2 distributions differ, by up to 0.100"),
        (1, 3, 6_554, ""),
    ],
)
def test_how_tables_differ(row: int, column: int, by: int, said: str) -> None:
    """By more than 16 of 65,536, where a table has an entry."""
    made = CDF.clone()
    made[row, column] += by
    assert _difference([OFFSETS, CDF, LENGTHS], [OFFSETS, made, LENGTHS]) == said


def test_tables_of_another_range_or_number() -> None:
    moved = [OFFSETS + torch.tensor([1, 0]), CDF, LENGTHS]
    assert _difference([OFFSETS, CDF, LENGTHS], moved) == "1 of 2 distributions cover another range"
    fewer = [OFFSETS[:1], CDF[:1], LENGTHS[:1]]
    assert _difference([OFFSETS, CDF, LENGTHS], fewer) == "of 2 distributions, and the model has 1"


def test_broken_tensors_are_counted() -> None:
    floats = {name: torch.zeros(2, 600) for name in "abcde"}
    [fine] = broken_tensors({**floats, "step": torch.tensor(3)})
    assert fine.message == "all 5 floating-point tensors are finite"
    for name in "bcde":
        floats[name][0] = math.nan
    [wrong] = broken_tensors(floats)
    assert wrong.message == "4 tensors hold NaN: b, c, d and 1 more (600 of 1,200 numbers of b)"
    assert wrong.keys == tuple("bcde")


@pytest.mark.parametrize(
    ("count", "said"), [(1, "a"), (3, "a, b, c"), (4, "a, b, c and 1 more"), (7, "a, b, c and 4 more")]
)
def test_several(count: int, said: str) -> None:
    assert several(list("abcdefg")[:count]) == said


def test_lines_of_a_diagnosis() -> None:
    found = Diagnosis("x.pth")
    found.findings = [Finding("fine", "tensors", "they are"), Finding("wrong", "rate", "it is not", "a hint")]
    found.trials = {"": Trial(0.51234, 30.126), "chunks are swapped": Trial(12.0, 8.5)}
    assert _lines(found, quiet=False, verbose=True) == [
        "fine   tensors    they are",
        "wrong  rate       it is not",
        "                  hint: a hint",
        "                    0.5123 bits per pixel,  30.13 dB: as the spec says",
        "                   12.0000 bits per pixel,   8.50 dB: chunks are swapped",
        "1 thing is wrong",
    ]
    found.findings *= 2
    assert _lines(found, quiet=True, verbose=False)[-1] == "2 things are wrong"
