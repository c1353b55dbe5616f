"""`codecspec plot` and `codecspec bd`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codecspec.runtime.bjontegaard import bjontegaard
from codecspec.runtime.results import Results, read_results
from tests.cli.conftest import Command

MINE = Results("mine", {"bpp": (0.1, 0.2, 0.4, 0.8), "psnr-rgb": (28.4, 30.3, 32.5, 34.6)}, "measured")
THEIRS = Results("theirs", {"bpp": (0.1, 0.2, 0.4, 0.8), "psnr-rgb": (28.0, 30.0, 32.0, 34.0)})


@pytest.fixture
def results(tmp_path: Path) -> tuple[Path, Path]:
    MINE.write(tmp_path / "mine.json")
    THEIRS.write(tmp_path / "theirs.json")
    return tmp_path / "mine.json", tmp_path / "theirs.json"


@pytest.mark.parametrize("ending", [".svg", ".html"])
def test_plot(command: Command, results: tuple[Path, Path], tmp_path: Path, ending: str) -> None:
    done = command("codecspec", "plot", *results, "-o", tmp_path / f"curve{ending}")
    assert (done.code, done.err) == (0, "")
    *points, saved = done.out.splitlines()
    assert points == ["mine (measured): 4 points", "theirs (published): 4 points"]
    assert saved.endswith(f"({(tmp_path / f'curve{ending}').stat().st_size:,} bytes)")
    assert "mine (measured): 0.1000 bits per pixel, 28.400 dB" in (tmp_path / f"curve{ending}").read_text()


def test_curves_of_one_name_say_their_files(
    command: Command, results: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two trainings of one spec, each with the curve that `eval` wrote."""
    monkeypatch.chdir(tmp_path)
    for run, path in zip(("first", "second"), results, strict=True):
        Path(run).mkdir()
        curve = json.loads(path.read_text()) | {"name": "wacnn", "provenance": "measured"}
        Path(run, "curve-wacnn.json").write_text(json.dumps(curve))
    both = ("first/curve-wacnn.json", "second/curve-wacnn.json")
    drawn = command("codecspec", "plot", *both, results[0], "-o", "curve.html")
    assert drawn.out.splitlines()[:3] == [
        "wacnn, first/curve-wacnn.json (measured): 4 points",
        "wacnn, second/curve-wacnn.json (measured): 4 points",
        "mine (measured): 4 points",
    ]
    assert "<td>wacnn, second/curve-wacnn.json</td>" in Path("curve.html").read_text()
    compared = command("codecspec", "bd", *both).out.splitlines()
    assert compared[0] == "wacnn, second/curve-wacnn.json against wacnn, first/curve-wacnn.json"


def test_one_point(command: Command, tmp_path: Path) -> None:
    Results("one", {"bpp": (0.3,), "psnr-rgb": (31.0,)}).write(tmp_path / "one.json")
    done = command("codecspec", "plot", tmp_path / "one.json", "-o", tmp_path / "curve.png")
    assert (done.code, done.out.splitlines()[0]) == (0, "one (published): 1 point")


def test_plot_json(command: Command, results: tuple[Path, Path], tmp_path: Path) -> None:
    done = command("codecspec", "plot", results[0], "-o", tmp_path / "curve.svg", "--json")
    said = json.loads(done.out)
    assert said["curves"] == [
        {"name": "mine", "provenance": "measured", "points": [[0.1, 28.4], [0.2, 30.3], [0.4, 32.5], [0.8, 34.6]]}
    ]
    assert (said["metric"], said["saved"]) == ("psnr", str(tmp_path / "curve.svg"))


def test_bd(command: Command, results: tuple[Path, Path]) -> None:
    mine, theirs = results
    done = command("codecspec", "bd", theirs, mine)
    assert (done.code, done.err) == (0, "")
    expected = bjontegaard(*(read_results(path).curve("psnr") for path in (theirs, mine)))
    lines = done.out.splitlines()
    assert lines[0] == "mine against theirs"
    for line, method in zip(lines[2:5], ("cubic", "pchip", "akima"), strict=True):
        assert line.split() == [
            method,
            f"{expected.rate_percent[method]:+.2f}%",
            f"{expected.quality_db[method]:+.3f}",
            "dB",
        ]
    assert lines[5] == "  BD-rate over 28.40 to 34.00 dB, 85% of what either covers"
    assert lines[6] == "  BD-PSNR over 0.100 to 0.800 bits per pixel, 100%"


def test_another_metric(command: Command, tmp_path: Path) -> None:
    """MS-SSIM of 0.9 is 10 dB, of 0.99 20: the second codec has twice the rate at each, and so 100 % more."""
    quality = tuple(1 - 10 ** (-decibels / 10) for decibels in (10.0, 13.0, 16.0, 20.0))
    for name, rates in (("once", (0.1, 0.2, 0.4, 0.8)), ("twice", (0.2, 0.4, 0.8, 1.6))):
        Results(name, {"bpp": rates, "psnr-rgb": (1, 2, 3, 4), "ms-ssim-rgb": quality}).write(tmp_path / f"{name}.json")
    files = tmp_path / "once.json", tmp_path / "twice.json"
    lines = command("codecspec", "bd", *files, "--metric", "ms-ssim").out.splitlines()
    assert lines[1].split() == ["method", "BD-rate", "BD-MS-SSIM"]
    assert [line.split()[:2] for line in lines[2:5]] == [[m, "+100.00%"] for m in ("cubic", "pchip", "akima")]
    assert lines[5] == "  BD-rate over 10.00 to 20.00 dB, 100% of what either covers"
    assert lines[6] == "  BD-MS-SSIM over 0.200 to 0.800 bits per pixel, 50%"
    assert json.loads(command("codecspec", "bd", *files, "--metric", "ms-ssim", "--json").out)["metric"] == "ms-ssim"
    picture = tmp_path / "curve.html"
    said = json.loads(command("codecspec", "plot", *files, "-o", picture, "--metric", "ms-ssim", "--json").out)
    assert said["metric"] == "ms-ssim"
    points = [point for curve in said["curves"] for point in curve["points"]]
    assert [rate for rate, _ in points] == [0.1, 0.2, 0.4, 0.8, 0.2, 0.4, 0.8, 1.6]
    assert [decibels for _, decibels in points] == pytest.approx([10, 13, 16, 20] * 2)
    assert "<td>0.8000</td><td>20.000</td>" in picture.read_text()


def test_bd_json(command: Command, results: tuple[Path, Path]) -> None:
    said = json.loads(command("codecspec", "bd", *results, "--json").out)
    assert (said["anchor"], said["test"]) == ("mine", "theirs")
    assert said["rate_percent"]["pchip"] > 10
    assert said["quality_overlap"]["low"] == 28.4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["plot", "mine.json", "-o", "curve.pdf"], "E-usage at curve.pdf: a picture ends in"),
        (["plot", "mine.json", "-o", "no/curve.svg"], "E-output at no/curve.svg: it cannot be written"),
        (["plot", "mine.json", "-o", "curve.svg", "--metric", "PSNR"], "'PSNR' is not one of 'psnr', 'ms-ssim'"),
        (
            ["plot", "mine.json", "-o", "curve.svg", "--metric", "ms-ssim"],
            "E-results at mine.json: there is no 'ms-",
        ),
        (["plot", "none.json", "-o", "curve.svg"], "E-results at none.json: it cannot be read"),
        (["bd", "mine.json", "none.json"], "E-results at none.json"),
        (["bd", "mine.json"], "Missing argument"),
    ],
)
def test_wrong_input(
    command: Command,
    results: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = command("codecspec", *arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.json", "theirs.json"]
