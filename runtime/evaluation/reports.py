"""An evaluation as CSV, as JSON, and as the results that `codecspec plot` and CompressAI's tools read.

A figure that is infinite (the PSNR of equal images) is `inf` in CSV and null in JSON.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Collection
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import torch

from codecspec.runtime.evaluation.evaluation import Averages, Evaluation, Image, ModelEvaluation, Row
from codecspec.runtime.evaluation.measurement import Measurement
from codecspec.runtime.machine import machine
from codecspec.runtime.results import Results

COLUMNS = (
    "model",
    "spec",
    "image",
    "sha256",
    "width",
    "height",
    "bytes",
    "bpp",
    "bpp_estimated",
    "gap_percent",
    "psnr_rgb",
    "psnr_y",
    "ms_ssim",
    "ms_ssim_db",
    "cause",
    "encode_s",
    "decode_s",
    "peak_mib",
)
"""Of the CSV. The last three differ from run to run, the others do not."""
MIB = 1 << 20


def as_csv(evaluation: Evaluation) -> str:
    """A row for each model and image."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for model in evaluation.models:
        writer.writerows({**_figures(row), "spec": model.spec} for row in model.rows)
    return text.getvalue()


def as_content(evaluation: Evaluation) -> dict[str, Any]:
    """All of it as JSON content."""
    return {
        "codecspec": version("codecspec"),
        "device": evaluation.device,
        "machine": machine(torch.device(evaluation.device)),
        "settings": asdict(evaluation.settings),
        "wall_s": evaluation.wall_s,
        "opening_s": evaluation.opening_s,
        "warming_s": evaluation.warming_s,
        "coding_s": evaluation.coding_s,
        "common_images": sorted(image for image, _ in evaluation.common_images),
        "models": [_model(model, evaluation.common_images) for model in evaluation.models],
        "failures": [asdict(failure) for failure in evaluation.failures],
    }


def as_results(evaluation: Evaluation) -> list[Results]:
    """A curve for each spec's name, a point for each model, by rate.

    A figure that not every model has, or that is infinite, is left out.
    """
    by_spec: dict[str, list[ModelEvaluation]] = {}
    for model in evaluation.models:
        if model.rows:
            by_spec.setdefault(model.spec, []).append(model)
    rate = "rates estimated by the likelihoods" if evaluation.settings.estimate else "rates of whole files"
    return [
        Results(name, _points(models), "measured", f"{_counted(models)} on {evaluation.device}, {rate}")
        for name, models in by_spec.items()
    ]


def _points(models: list[ModelEvaluation]) -> dict[str, tuple[float, ...]]:
    points = sorted((model.averages for model in models if model.averages is not None), key=_rate)
    figures: dict[str, list[float | None]] = {
        "bpp": [_rate(each) for each in points],
        "psnr-rgb": [each.psnr_rgb for each in points],
        "psnr-y": [each.psnr_y for each in points],
        "ms-ssim-rgb": [each.ms_ssim if each.ms_ssim_images == each.images else None for each in points],
        "encoding_time": [each.encode_s for each in points],
        "decoding_time": [each.decode_s for each in points],
    }
    whole = {name: tuple(v for v in values if v is not None and math.isfinite(v)) for name, values in figures.items()}
    return {name: values for name, values in whole.items() if len(values) == len(points)}


def _rate(point: Averages) -> float:
    return point.bpp_estimated if point.bpp is None else point.bpp


def _counted(models: list[ModelEvaluation]) -> str:
    counts = sorted({len(model.rows) for model in models})
    different = "different " if len({model.images for model in models}) > 1 else ""
    return f"means over {different}{' or '.join(map(str, counts))} {'image' if counts == [1] else 'images'}"


def _model(model: ModelEvaluation, common: Collection[Image]) -> dict[str, Any]:
    return {
        "model": model.name,
        "spec": model.spec,
        "hash": model.spec_hash,
        "digest": model.digest,
        "parameters": model.parameters,
        "averages": _averages(model.averages),
        "averages_over_common_images": _averages(model.averages_over(common)),
        "images": [_image(row) for row in model.rows],
    }


def _averages(found: Averages | None) -> dict[str, Any] | None:
    return None if found is None else _finite({**asdict(found), "gap": found.gap})


def _image(row: Row) -> dict[str, Any]:
    named = {"image": row.image, "sha256": row.sha256}
    return named | measured_content(row.measured) | {"resumed": row.resumed}


def measured_content(each: Measurement) -> dict[str, Any]:
    """The figures of one image as JSON content."""
    derived = {
        "bpp": each.bpp,
        "bpp_estimated": each.bpp_estimated,
        "gap": each.gap,
        "ms_ssim_db": each.ms_ssim_db,
    }
    return _finite({**asdict(each), **derived})


def _finite(content: dict[str, Any]) -> dict[str, Any]:
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in content.items()}


def _figures(row: Row) -> dict[str, Any]:
    each = row.measured
    return {
        "model": row.model,
        "image": row.image,
        "sha256": row.sha256,
        "width": each.width,
        "height": each.height,
        "bytes": each.num_bytes,
        "bpp": _rounded(each.bpp, 6),
        "bpp_estimated": _rounded(each.bpp_estimated, 6),
        "gap_percent": _rounded(None if each.gap is None else 100 * each.gap, 3),
        "psnr_rgb": _rounded(each.psnr_rgb, 4),
        "psnr_y": _rounded(each.psnr_y, 4),
        "ms_ssim": _rounded(each.ms_ssim, 6),
        "ms_ssim_db": _rounded(each.ms_ssim_db, 4),
        "cause": each.cause,
        "encode_s": _rounded(each.encode_s, 3),
        "decode_s": _rounded(each.decode_s, 3),
        "peak_mib": _rounded(each.peak_bytes / MIB, 1),
    }


def _rounded(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
