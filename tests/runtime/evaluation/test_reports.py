"""An evaluation of figures that are given, as CSV, JSON and results: each figure in its place, unit and rounding."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

import pytest
import torch

from codecspec.runtime.evaluation.evaluation import Evaluation, Failure, ModelEvaluation, Row, Settings
from codecspec.runtime.evaluation.measurement import Measurement
from codecspec.runtime.evaluation.reports import COLUMNS, as_content, as_csv, as_results

MIB = 1024 * 1024
SHA256 = "ab" * 32
FIRST = Measurement(
    200, 100, 8, 1_250, 8_000.0, 30.123456, 31.987654, 0.99, 1.23456, 0.5, 3 * MIB + MIB // 4, "a cause"
)
"""0.5 bits per pixel, 0.4 by its likelihoods, 20 dB of MS-SSIM."""
SECOND = Measurement(50, 40, 16, 250, 2_222.0, math.inf, 40.0, None, 2.0, 0.25, MIB)


def evaluation(*models: tuple[str, list[Measurement]], **settings: Any) -> Evaluation:
    """Models of the spec that is named, on as many images."""
    made = []
    for k, (spec, measured) in enumerate(models):
        rows = [Row(f"{k}.pth", "a/b.png", SHA256, each) for each in measured]
        made.append(ModelEvaluation(f"{k}.pth", spec, "h" * 64, "d" * 32, 1_000 + k, rows))
    return Evaluation(made, [Failure("x.pth", "", "why")], Settings(**settings), "cpu", 10.0, 1.0, 2.0, 6.5)


def test_csv() -> None:
    head, first, second = csv.reader(io.StringIO(as_csv(evaluation(("wacnn", [FIRST, SECOND])))))
    assert tuple(head) == COLUMNS
    named = ["0.pth", "wacnn", "a/b.png", SHA256]
    assert first == [
        *named,
        *(
            "200",
            "100",
            "1250",
            "0.500000",
            "0.400000",
            "25.000",
            "30.1235",
            "31.9877",
            "0.990000",
            "20.0000",
            "a cause",
        ),
        *("1.235", "0.500", "3.2"),
    ]
    assert second == [
        *named,
        *("50", "40", "250", "1.000000", "1.111000", "-9.991", "inf", "40.0000", "", "", "", "2.000", "0.250", "1.0"),
    ]


def test_csv_of_estimates_has_no_files() -> None:
    row = Measurement(200, 100, 8, None, 8_000.0, 30.0, 31.0, None, None, None, MIB)
    found = next(csv.DictReader(io.StringIO(as_csv(evaluation(("wacnn", [row]), estimate=True)))))
    empty = ("bytes", "bpp", "gap_percent", "ms_ssim", "ms_ssim_db", "cause", "encode_s", "decode_s")
    assert [found[name] for name in empty] == [""] * len(empty)
    assert found["bpp_estimated"] == "0.400000"


def test_json() -> None:
    content = as_content(evaluation(("wacnn", [FIRST, SECOND]), coder="compressai"))
    assert {name: content[name] for name in ("wall_s", "opening_s", "warming_s", "coding_s")} == {
        "wall_s": 10.0,
        "opening_s": 1.0,
        "warming_s": 2.0,
        "coding_s": 6.5,
    }
    assert (content["device"], content["machine"]["threads"]) == ("cpu", torch.get_num_threads())
    assert content["settings"] == {"estimate": False, "profile": None, "coder": "compressai", "max_memory": None}
    assert content["failures"] == [{"model": "x.pth", "image": "", "message": "why"}]
    [model] = content["models"]
    assert (model["model"], model["spec"], model["parameters"]) == ("0.pth", "wacnn", 1_000)
    assert model["images"][0] == {
        "image": "a/b.png",
        "sha256": SHA256,
        "width": 200,
        "height": 100,
        "bit_depth": 8,
        "num_bytes": 1_250,
        "estimated_bits": 8_000.0,
        "psnr_rgb": 30.123456,
        "psnr_y": 31.987654,
        "ms_ssim": 0.99,
        "encode_s": 1.23456,
        "decode_s": 0.5,
        "peak_bytes": 3 * MIB + MIB // 4,
        "cause": "a cause",
        "bpp": 0.5,
        "bpp_estimated": 0.4,
        "gap": pytest.approx(0.25),
        "ms_ssim_db": pytest.approx(20.0),
        "resumed": False,
    }
    assert model["images"][1]["psnr_rgb"] is None, "it is infinite, and JSON has no word for that"
    averages = model["averages"]
    assert (averages["psnr_rgb"], averages["psnr_y"]) == (None, pytest.approx(35.993827))
    assert (averages["bpp"], averages["bpp_estimated"]) == (0.75, pytest.approx(0.7555))
    assert averages["gap"] == pytest.approx(0.75 / 0.7555 - 1)


def test_results() -> None:
    """A curve for each spec, by rate; a figure that a point lacks, or that is infinite, is left out."""
    better = Measurement(200, 100, 8, 2_500, 21_000.0, 33.0, 34.0, 0.999, 1.5, 0.75, MIB)
    first, second = as_results(evaluation(("tcm", [better]), ("elic", [SECOND, FIRST]), ("tcm", [FIRST])))
    assert (first.name, first.provenance, first.description) == (
        "tcm",
        "measured",
        "means over 1 image on cpu, rates of whole files",
    )
    assert first.results == {
        "bpp": (0.5, 1.0),
        "psnr-rgb": (30.123456, 33.0),
        "psnr-y": (31.987654, 34.0),
        "ms-ssim-rgb": (0.99, 0.999),
        "encoding_time": (1.23456, 1.5),
        "decoding_time": (0.5, 0.75),
    }
    assert sorted(second.results) == ["bpp", "decoding_time", "encoding_time", "psnr-y"]
    assert second.results["bpp"] == (0.75,), "the mean of the images' rates"
    assert second.description == "means over 2 images on cpu, rates of whole files"


def test_results_of_estimates() -> None:
    row = Measurement(200, 100, 8, None, 8_000.0, 30.0, 31.0, None, None, None, MIB)
    [found] = as_results(evaluation(("wacnn", [row]), estimate=True))
    assert found.results == {"bpp": (0.4,), "psnr-rgb": (30.0,), "psnr-y": (31.0,)}
    assert found.description == "means over 1 image on cpu, rates estimated by the likelihoods"
