"""`cs.evaluate`: every figure against one found another way; what is kept of a run, and what fails in one."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
import pytorch_msssim
import torch
from PIL import Image

import codecspec as cs
from codecspec.runtime.codec import Codec
from codecspec.runtime.evaluation import journal, measurement
from codecspec.runtime.evaluation.evaluation import Failure, Row, averages
from codecspec.runtime.evaluation.measurement import Measurement, is_large
from codecspec.runtime.evaluation.reports import as_content, as_csv, as_results
from codecspec.runtime.image_files import read_image
from codecspec.runtime.results import read_results
from tests.runtime.small_codecs import small

FROM_RUN_TO_RUN = ("encode_s", "decode_s", "peak_mib")


@pytest.fixture(scope="module")
def codec() -> Codec:
    return small("mbt2018-mean")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three images in a folder and one below: one large enough for MS-SSIM, one grey."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "below").mkdir()
    for name, height, width in (("a.png", 176, 165), ("b.png", 40, 51), ("below/c.png", 33, 20)):
        Image.fromarray(picture(height, width)).save(folder / name)
    Image.fromarray(picture(30, 35)[..., 0]).save(folder / "grey.png")
    return folder


def picture(height: int, width: int) -> np.ndarray:
    yy, xx = np.mgrid[:height, :width] / 20
    planes = [0.5 + 0.3 * np.sin(3 * xx + 1.7 * yy + i) + 0.2 * np.cos(5 * xx - 7 * yy * (i + 1)) for i in range(3)]
    return np.round(255 * np.clip(np.stack(planes, -1), 0, 1)).astype(np.uint8)


def test_every_figure_of_an_image(codec: Codec, pictures: Path, tmp_path: Path) -> None:
    row = cs.evaluate(codec, pictures).models[0].rows[0]
    found = row.measured
    data = cs.encode(codec, pictures / "a.png")
    (tmp_path / "a.csp").write_bytes(data)
    assert (row.image, found.width, found.height) == ("a.png", 165, 176)
    assert found.num_bytes == (tmp_path / "a.csp").stat().st_size
    assert found.bpp == 8 * len(data) / (165 * 176)
    x = read_image(pictures / "a.png")
    with torch.no_grad():
        likelihoods = codec(x)["likelihoods"].values()
    bits = sum(-np.log2(each.double().numpy()).sum() for each in likelihoods)
    assert found.estimated_bits == pytest.approx(bits, rel=1e-5)
    assert found.gap == pytest.approx(8 * len(data) / bits - 1, rel=1e-4)
    with Image.open(pictures / "a.png") as image:
        original = np.asarray(image).astype(np.float64)
    decoded = np.rint(cs.decode(codec, data)[0].permute(1, 2, 0).numpy() * 255).astype(np.float64)
    assert found.psnr_rgb == pytest.approx(10 * math.log10(255**2 / ((original - decoded) ** 2).mean()), abs=1e-9)
    luma = np.array([0.2126, 0.7152, 0.0722])
    assert found.psnr_y == pytest.approx(
        10 * math.log10(255**2 / (((original - decoded) @ luma) ** 2).mean()), abs=1e-5
    )
    tensors = (torch.from_numpy(each).permute(2, 0, 1)[None] for each in (original, decoded))
    expected = float(pytorch_msssim.ms_ssim(*tensors, data_range=255))
    assert found.ms_ssim == pytest.approx(expected, abs=2e-6)
    assert found.ms_ssim_db == pytest.approx(-10 * math.log10(1 - expected), abs=1e-4)
    assert min(found.encode_s or 0, found.decode_s or 0) > 0
    assert found.peak_bytes > 50e6


def test_a_gap_is_said_with_its_cause(codec: Codec, pictures: Path) -> None:
    for row in cs.evaluate(codec, pictures).models[0].rows:
        assert abs(row.measured.gap or 0) > 0.01, "small images have large headers"
        assert row.measured.cause.startswith(f"{row.measured.num_bytes:,} bytes for likelihoods of")
        assert "header and chunk table +" in row.measured.cause


def test_a_small_gap_needs_no_cause(codec: Codec, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cause(least: float) -> str:
        monkeypatch.setattr(measurement, "LARGE_GAP", least)
        return cs.evaluate(codec, pictures / "a.png").rows[0].measured.cause

    gap = abs(cs.evaluate(codec, pictures / "a.png").rows[0].measured.gap or 0)
    assert 0.01 < gap < 0.5
    assert cause(gap * 0.99)
    assert cause(gap * 1.01) == ""


def test_samples_of_16_bits_are_compared_as_such(codec: Codec, tmp_path: Path) -> None:
    """Grey ones too: of 65,535 levels each, where 8 bits would have rounded what differs."""
    samples = (picture(40, 48)[..., 0].astype(np.uint16) * 256) + 77
    Image.fromarray(samples).save(tmp_path / "deep.png")
    [row] = cs.evaluate(codec, tmp_path / "deep.png").rows
    x = torch.from_numpy(samples / 65_535.0)
    decoded = cs.decode(codec, cs.encode(codec, tmp_path / "deep.png"))[0, 0].double().numpy()
    error = samples - np.rint(decoded * 65_535)
    expected = 10 * math.log10(65_535**2 / (error**2).mean())
    assert (row.measured.bit_depth, row.measured.psnr_rgb) == (16, pytest.approx(expected, abs=1e-6))
    with torch.no_grad():
        given = codec(x.float().expand(1, 3, -1, -1))["x_hat"].clamp(0, 1).mean(1)[0]
    error = samples - np.rint(given.double().numpy() * 65_535)
    [estimated] = cs.evaluate(codec, tmp_path / "deep.png", estimate=True).rows
    expected = 10 * math.log10(65_535**2 / (error**2).mean())
    assert estimated.measured.psnr_rgb == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("num_bytes", "large"), [(991, False), (989, True), (1_000, False), (1_009, False), (1_011, True), (None, False)]
)
def test_a_gap_is_large_above_one_percent(num_bytes: int | None, large: bool) -> None:
    """Of a file for likelihoods of 1,000 bytes, either way."""
    found = Measurement(10, 10, 8, num_bytes, 8_000.0, 30.0, 30.0, None, None, None, 0)
    assert is_large(found.gap) is large


def test_what_should_cost_nothing_has_no_gap() -> None:
    assert Measurement(10, 10, 8, 100, 0.0, 30.0, 30.0, None, None, None, 0).gap is None


def test_averages(codec: Codec, pictures: Path) -> None:
    rows = cs.evaluate(codec, pictures).models[0].rows
    assert [row.image for row in rows] == ["a.png", "b.png", "below/c.png", "grey.png"]
    found = cs.evaluate(codec, pictures).models[0].averages
    assert found is not None
    each = [row.measured for row in rows]
    pixels = [165 * 176, 51 * 40, 20 * 33, 35 * 30]
    sizes = [len(cs.encode(codec, pictures / row.image)) for row in rows]
    assert found.bpp == pytest.approx(fmean(8 * size / count for size, count in zip(sizes, pixels, strict=True)))
    assert found.aggregate_bpp == pytest.approx(8 * sum(sizes) / sum(pixels))
    assert found.bpp_estimated == pytest.approx(fmean(m.estimated_bits / n for m, n in zip(each, pixels, strict=True)))
    assert found.aggregate_bpp_estimated == pytest.approx(sum(m.estimated_bits for m in each) / sum(pixels))
    assert found.gap == pytest.approx((found.bpp or 0) / found.bpp_estimated - 1)
    assert found.psnr_rgb == pytest.approx(fmean(m.psnr_rgb for m in each))
    assert found.psnr_y == pytest.approx(fmean(m.psnr_y for m in each))
    assert (found.images, found.ms_ssim_images) == (4, 1)
    assert (found.ms_ssim, found.ms_ssim_db) == (each[0].ms_ssim, each[0].ms_ssim_db)


def test_averages_by_hand() -> None:
    """Of 100 and 300 pixels: means of the images' own figures, decibels too, but rates of all bits by all pixels."""
    found = averages(
        [
            Measurement(10, 10, 8, 50, 200.0, 20.0, 21.0, 0.9, 1.0, 3.0, 7),
            Measurement(30, 10, 8, 30, 180.0, 30.0, 35.0, 0.99, 2.0, 5.0, 9),
            Measurement(10, 10, 8, 20, 120.0, 40.0, 43.0, None, 6.0, 1.0, 8),
        ]
    )
    assert (found.images, found.ms_ssim_images, found.peak_bytes) == (3, 2, 9)
    assert found.bpp == pytest.approx((4.0 + 0.8 + 1.6) / 3)
    assert found.bpp_estimated == pytest.approx((2.0 + 0.6 + 1.2) / 3)
    assert found.gap == pytest.approx(6.4 / 3.8 - 1)
    assert (found.aggregate_bpp, found.aggregate_bpp_estimated) == (pytest.approx(1.6), pytest.approx(1.0))
    assert (found.psnr_rgb, found.psnr_y) == (pytest.approx(30.0), pytest.approx(33.0))
    assert (found.ms_ssim, found.ms_ssim_db) == (pytest.approx(0.945), pytest.approx(15.0))
    assert (found.encode_s, found.decode_s) == (pytest.approx(3.0), pytest.approx(3.0))


@pytest.mark.parametrize("name", ["bmshj2018-factorized", "elic", "mbt2018"])
def test_other_families(pictures: Path, name: str) -> None:
    codec = small(name)
    row = cs.evaluate(codec, pictures / "b.png").models[0].rows[0]
    data = cs.encode(codec, pictures / "b.png")
    assert row.measured.num_bytes == len(data)
    decoded = np.rint(cs.decode(codec, data).double().numpy() * 255)
    original = np.rint(read_image(pictures / "b.png").double().numpy() * 255)
    assert row.measured.psnr_rgb == pytest.approx(
        10 * math.log10(255**2 / ((original - decoded) ** 2).mean()), abs=1e-9
    )


def test_estimates_code_nothing(codec: Codec, pictures: Path) -> None:
    coded = cs.evaluate(codec, pictures)
    found = cs.evaluate(codec, pictures, estimate=True)
    for real, row in zip(coded.rows, found.rows, strict=True):
        mine = row.measured
        assert (mine.num_bytes, mine.bpp, mine.gap, mine.encode_s, mine.decode_s) == (None,) * 5
        assert mine.estimated_bits == pytest.approx(real.measured.estimated_bits, rel=1e-5)
        assert mine.psnr_rgb == pytest.approx(real.measured.psnr_rgb, abs=1e-3)
    assert found.coding_s == 0
    average = found.models[0].averages
    assert average is not None
    assert as_results(found)[0].results["bpp"] == (average.bpp_estimated,)


def test_two_runs_give_the_same_csv_but_for_times_and_memory(codec: Codec, pictures: Path) -> None:
    first, second = (list(csv.DictReader(io.StringIO(as_csv(cs.evaluate(codec, pictures))))) for _ in range(2))
    assert list(first[0])[-3:] == list(FROM_RUN_TO_RUN)
    for rows in (first, second):
        for row in rows:
            for name in FROM_RUN_TO_RUN:
                assert float(row.pop(name)) > 0
    assert first == second
    assert [row["image"] for row in first] == ["a.png", "b.png", "below/c.png", "grey.png"]
    assert float(first[0]["bpp"]) == pytest.approx(8 * int(first[0]["bytes"]) / (165 * 176), abs=1e-6)


def test_an_interrupted_run_goes_on(codec: Codec, pictures: Path, tmp_path: Path) -> None:
    seen: list[Row | Failure] = []

    def stop_after_two(outcome: Row | Failure) -> None:
        seen.append(outcome)
        if len(seen) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cs.evaluate(codec, pictures, folder=tmp_path, watch=stop_after_two)
    with (tmp_path / "measured.jsonl").open("a") as file:
        file.write('{"key": "half a li')
    found = cs.evaluate(codec, pictures, folder=tmp_path)
    assert [row.resumed for row in found.rows] == [True, True, False, False]
    again = cs.evaluate(codec, pictures, folder=tmp_path)
    assert [row.resumed for row in again.rows] == [True] * 4
    assert [row.measured for row in again.rows] == [row.measured for row in found.rows]
    assert found.rows[0].measured == seen[0].measured  # type: ignore[union-attr]


def test_a_result_belongs_to_model_image_and_settings(codec: Codec, pictures: Path, tmp_path: Path) -> None:
    image = tmp_path / "x.png"
    image.write_bytes((pictures / "b.png").read_bytes())

    def resumed(model: Codec, **options: object) -> bool:
        return cs.evaluate(model, image, folder=tmp_path, **options).rows[0].resumed  # type: ignore[arg-type]

    assert not resumed(codec)
    assert resumed(small("mbt2018-mean")), "the same weights in another object, and a codec that has run"
    other = small("mbt2018-mean")
    with torch.no_grad():
        other.g_a[0].bias += 0.01  # an encoder's weight, of which a stream knows nothing
    assert not resumed(other)
    with codec.computing("reference"):
        assert not resumed(codec)
    assert not resumed(small("mbt2018-mean").double()), "the same weights, as a digest says them, in another precision"
    assert not resumed(codec, coder="compressai")
    assert not resumed(codec, profile="exact")
    assert not resumed(codec, max_memory="8GB")
    assert not resumed(codec, estimate=True)
    assert resumed(codec)
    swapped = cs.parse_spec(
        "codecspec: 1\nname: swapped\nextends: mbt2018-mean\nparams: {N: 12, M: 18}\n"
        "latent_codec: {y: {type: gaussian, chunks: [means, scales]}}\n"
    )
    other = cs.compile_spec(swapped)
    other.load_state_dict(codec.state_dict())
    assert not resumed(other), "the same weights and tables, that another spec reads otherwise"
    stale = small("mbt2018-mean")
    stale.prepare_tables()
    lengths = stale.state_dict()["latent_codec.z.entropy_bottleneck._cdf_length"]
    cdf = stale.state_dict()["latent_codec.z.entropy_bottleneck._quantized_cdf"]
    cdf[0, 1 : lengths[0]] = 65_536 - torch.arange(lengths[0] - 2, -1, -1)
    stale.load_state_dict(stale.state_dict())
    assert not resumed(stale), "the same weights with other tables"
    image.write_bytes((pictures / "below" / "c.png").read_bytes())
    assert not resumed(codec)
    image.rename(tmp_path / "y.png")
    image = tmp_path / "y.png"
    assert resumed(codec)


def test_another_version_of_what_is_measured(
    codec: Codec, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cs.evaluate(codec, pictures / "b.png", folder=tmp_path)
    monkeypatch.setattr(journal, "_VERSION", -1)
    assert not cs.evaluate(codec, pictures / "b.png", folder=tmp_path).rows[0].resumed


def test_a_journal_that_says_anything_is_measured_again(codec: Codec, pictures: Path, tmp_path: Path) -> None:
    cs.evaluate(codec, pictures / "b.png", folder=tmp_path)
    path = tmp_path / "measured.jsonl"
    entry = json.loads(path.read_text())
    for bad in ({"key": entry["key"], "measured": {"width": "wide"}}, {"key": entry["key"]}, [1], 7, None):
        path.write_text(json.dumps(bad) + "\n\xff\n")
        assert not cs.evaluate(codec, pictures / "b.png", folder=tmp_path).rows[0].resumed


def test_equal_images_of_one_run_are_measured_each(codec: Codec, pictures: Path, tmp_path: Path) -> None:
    for name in ("one.png", "two.png"):
        (tmp_path / name).write_bytes((pictures / "b.png").read_bytes())
    for folder in (None, tmp_path):
        found = cs.evaluate(codec, tmp_path, folder=folder)
        assert [(row.image, row.resumed) for row in found.rows] == [("one.png", False), ("two.png", False)]


def test_what_fails_is_said_and_the_rest_goes_on(codec: Codec, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    Image.fromarray(picture(20, 20)).save(tmp_path / "good.png")
    broken = small("mbt2018-mean")
    with torch.no_grad():
        broken.g_s[0].weight.fill_(math.nan)
    cs.save(codec, tmp_path / "fine.safetensors")
    found = cs.evaluate([tmp_path / "none.safetensors", tmp_path / "fine.safetensors", broken], tmp_path)
    assert [(row.model, row.image) for row in found.rows] == [(str(tmp_path / "fine.safetensors"), "good.png")]
    said = [(failure.model, failure.image, failure.message) for failure in found.failures]
    assert [each[:2] for each in said] == [
        (str(tmp_path / "none.safetensors"), ""),
        (str(tmp_path / "fine.safetensors"), "bad.png"),
        ("mbt2018-mean", "bad.png"),
        ("mbt2018-mean", "good.png"),
    ]
    assert "no such file" in said[0][2]
    assert "cannot be read as an image" in said[1][2]
    assert "not finite" in said[3][2]
    assert found.models[1].averages is None


def test_results_are_what_plot_and_bd_read(pictures: Path, tmp_path: Path) -> None:
    first, second = small("mbt2018-mean"), small("mbt2018-mean")
    with torch.no_grad():
        second.g_a[-1].weight *= 2
        second.g_a[-1].bias *= 2
    found = cs.evaluate([second, first, small("bmshj2018-hyperprior")], pictures / "a.png")
    results = as_results(found)
    assert [each.name for each in results] == ["mbt2018-mean", "bmshj2018-hyperprior"]
    results[0].write(tmp_path / "curve.json")
    read = read_results(tmp_path / "curve.json")
    assert read.provenance == "measured"
    points = sorted((row.measured.bpp, row.measured.psnr_rgb) for row in found.rows[:2])
    assert read.curve("psnr").points == tuple(points)
    assert read.curve("ms-ssim").rates == [rate for rate, _ in points]
    assert sorted(read.results) == ["bpp", "decoding_time", "encoding_time", "ms-ssim-rgb", "psnr-rgb", "psnr-y"]


def test_json(codec: Codec, pictures: Path) -> None:
    found = cs.evaluate(codec, pictures)
    content = json.loads(json.dumps(as_content(found), allow_nan=False))
    model = content["models"][0]
    assert (model["model"], model["spec"], model["hash"]) == ("mbt2018-mean", "mbt2018-mean", codec.spec_hash)
    assert model["parameters"] == sum(p.numel() for p in codec.parameters())
    assert model["images"][0]["bpp"] == found.rows[0].measured.bpp
    assert model["averages"]["images"] == 4
    assert 0 < content["coding_s"] < content["wall_s"]


def test_no_images(codec: Codec, tmp_path: Path) -> None:
    with pytest.raises(cs.UsageError, match="no file in this folder"):
        cs.evaluate(codec, tmp_path)
    with pytest.raises(cs.UsageError, match="no such file"):
        cs.evaluate(codec, tmp_path / "none.png")
