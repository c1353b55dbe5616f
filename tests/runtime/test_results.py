"""Results in the form that CompressAI's tools write: read, written, and refused where they are none."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from compressai.utils.plot.__main__ import parse_json_file

from codecspec.runtime.results import Metric, Results, read_results
from codecspec.schema.errors import ResultsError

PUBLISHED = {
    "name": "bpg",
    "description": "BPG. 4:4:4",
    "results": {"bpp": [0.5, 0.1], "psnr-rgb": [32.0, 27.5], "ms-ssim-rgb": [0.97, 0.9], "encoding_time": [1, 2]},
}


def written(folder: Path, content: Any) -> Path:
    path = folder / "results.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_what_is_read_is_what_compressais_plots_read(tmp_path: Path) -> None:
    path = written(tmp_path, PUBLISHED)
    results = read_results(path)
    assert (results.name, results.description, results.provenance) == ("bpg", "BPG. 4:4:4", "published")
    for metric in ("psnr", "ms-ssim"):
        theirs = parse_json_file(path, metric)
        points = sorted(zip(theirs["xs"], theirs["ys"], strict=True))
        assert results.curve(metric).rates == [rate for rate, _ in points]
        assert results.curve(metric).qualities == pytest.approx([quality for _, quality in points])


def test_points_come_by_rate_and_ms_ssim_in_decibels(tmp_path: Path) -> None:
    results = read_results(written(tmp_path, PUBLISHED))
    assert results.curve("psnr").points == ((0.1, 27.5), (0.5, 32.0))
    assert results.curve("ms-ssim").qualities == pytest.approx([10, -10 * math.log10(0.03)])


def test_what_is_written_is_read_by_both(tmp_path: Path) -> None:
    mine = Results("mine", {"bpp": (0.1, 0.2), "psnr-rgb": (30.0, 31.5)}, "measured", "Kodak")
    mine.write(tmp_path / "mine.json")
    assert read_results(tmp_path / "mine.json") == mine
    assert parse_json_file(tmp_path / "mine.json", "psnr") == {"name": "mine", "xs": [0.1, 0.2], "ys": [30.0, 31.5]}


def test_the_older_forms(tmp_path: Path) -> None:
    path = written(tmp_path, {"bpp": [1], "psnr": [40], "ms-ssim": [0.99]})
    assert read_results(path).name == "results"
    assert read_results(path).curve("psnr").points == ((1.0, 40.0),)
    assert read_results(path).curve("ms-ssim").qualities == pytest.approx([20])


def test_of_two_names_of_a_metric_the_newer_counts() -> None:
    results = Results(
        "x", {"bpp": (1.0,), "psnr": (40.0,), "psnr-rgb": (30.0,), "ms-ssim": (0.9,), "ms-ssim-rgb": (0.0,)}
    )
    assert results.curve("psnr").points == ((1.0, 30.0),)
    assert results.curve("ms-ssim").points == ((1.0, 0.0),), "and an MS-SSIM of 0 is 0 dB"


def test_a_name_has_no_control_characters(tmp_path: Path) -> None:
    assert read_results(written(tmp_path, PUBLISHED | {"name": "a\x1b[31m\nb"})).name == "a [31m b"


@pytest.mark.parametrize(
    "values", [[None, 0.3], ["fast", "slow"], [0.1], 0.2, [1e13, 1], [True, False], {"mean": 1}, []]
)
def test_what_others_keep_beside_is_theirs(tmp_path: Path, values: Any) -> None:
    """Only the figures of curves must be lists of numbers; another that is one is kept."""
    results = {"bpp": [0.1, 0.5], "psnr-rgb": [27, 32], "encoding_time": values, "decoding_time": [1, 2.5]}
    found = read_results(written(tmp_path, {"results": results}))
    assert found.curve("psnr").points == ((0.1, 27.0), (0.5, 32.0))
    assert found.results == {"bpp": (0.1, 0.5), "psnr-rgb": (27.0, 32.0), "decoding_time": (1.0, 2.5)}


def test_an_evaluation_says_where_its_curves_are(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="no list 'bpp' in the results, only device, models") as caught:
        read_results(written(tmp_path, {"device": "cpu", "models": [{"images": []}]}))
    assert caught.value.hint == "the curves of an evaluation are in curve-NAME.json beside it"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("nonsense", "it is no JSON"),
        ("[" * 100_000, "it is no JSON"),
        ('{"bpp": [NaN]}', "NaN is no number"),
        ('{"bpp": [1e400]}', "'bpp' holds inf"),
        ("[1, 2]", "it is no results: .* found"),
        ({"results": [1]}, "`results` is a mapping of figures to lists"),
        ({"results": {"psnr-rgb": [1]}}, "no list 'bpp' in the results, only psnr-rgb"),
        ({"results": {"bpp": 0.1, "psnr-rgb": 28}}, "'bpp' is 0.1; it must be a list of numbers, one for each point"),
        ({"results": {"bpp": [0.1], "psnr-rgb": "28"}}, "'psnr-rgb' is '28'; it must be a list of numbers"),
        (f'{{"results": {{"bpp": [{"9" * 5000}]}}}}', "'bpp' holds inf; it must be a number"),
        ({"bpp": [1, 2], "psnr-rgb": [30]}, "'psnr-rgb' has 1 entries, and 'bpp' has 2"),
        ({"bpp": []}, "'bpp' has 0 entries"),
        ({"bpp": [0.1] * 1001}, "1 to 1000 points"),
        ({"bpp": ["0.1"]}, "'bpp' holds '0.1'; it must be a number"),
        ({"bpp": [True]}, "holds true"),
        ({"bpp": [1e12]}, "'bpp' holds 1000000000000.0; it must be a number, and less than 1e12"),
        ({"bpp": [1], "psnr-rgb": [-1e12]}, "'psnr-rgb' holds -1000000000000.0; it must be a number"),
        ({"bpp": [None]}, "'bpp' holds nothing; it must be a number"),
        ({"bpp": [[0.1]]}, r"'bpp' holds \[0.1\]; it must be a number"),
        (PUBLISHED | {"description": "d" * 1001}, "`description` is a text of at most 1,000 characters"),
        (PUBLISHED | {"provenance": "measurd"}, "allowed: measured, published"),
        (PUBLISHED | {"name": 7}, "`name` is a text"),
        (PUBLISHED | {"name": "n" * 101}, "at most 100 characters"),
        (" " * (1 << 20) + "{}", "at most 1,048,576 bytes"),
    ],
)
def test_what_is_no_results(tmp_path: Path, content: Any, says: str) -> None:
    with pytest.raises(ResultsError, match=says) as caught:
        read_results(written(tmp_path, content))
    assert caught.value.code == "E-results"
    assert len(str(caught.value)) < 500


def test_a_file_of_a_mebibyte_is_read(tmp_path: Path) -> None:
    text = json.dumps(PUBLISHED)
    assert read_results(written(tmp_path, text + " " * (2**20 - len(text)))).name == "bpg"


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="it cannot be read: No such file"):
        read_results(tmp_path / "none.json")
    with pytest.raises(ResultsError, match="it cannot be read: Is a directory"):
        read_results(tmp_path)


@pytest.mark.parametrize(
    ("results", "metric", "says"),
    [
        ({"bpp": (1.0,)}, "psnr", "no 'psnr-rgb' in the results, only bpp"),
        ({"bpp": (0.0,), "psnr-rgb": (30.0,)}, "psnr", "more than 0 bits per pixel"),
        ({"bpp": (1.0,), "ms-ssim-rgb": (14.2,)}, "ms-ssim", "at least 0 and less than 1"),
        ({"bpp": (1.0,), "ms-ssim-rgb": (1.0,)}, "ms-ssim", "at least 0 and less than 1"),
    ],
)
def test_no_curve_of_that_metric(results: dict[str, tuple[float, ...]], metric: Metric, says: str) -> None:
    with pytest.raises(ResultsError, match=says):
        Results("x", results).curve(metric)
