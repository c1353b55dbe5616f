"""Pictures of curves: the same bytes every time, provenance that can be seen, nothing that runs or asks the network."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from PIL import Image

from codecspec.runtime.curves import ENDINGS, _figure, plot_curves
from codecspec.runtime.results import Curve
from codecspec.schema.errors import UsageError

MINE = Curve("mine", "psnr", "measured", ((0.1, 28.0), (0.2, 30.0), (0.4, 32.5)))
THEIRS = Curve('<b onload="x()">$\\alpha$ & _', "psnr", "published", ((0.1, 27.0), (0.3, 31.0)))
SVG = "{http://www.w3.org/2000/svg}"
AGAIN = """
import sys
from pathlib import Path
from tests.runtime.test_curves import MINE, THEIRS
from codecspec.runtime.curves import plot_curves
for path in sys.argv[1:]:
    plot_curves([MINE, THEIRS], Path(path), "A heading")
"""


def drawn(folder: Path, name: str) -> Path:
    plot_curves([MINE, THEIRS], folder / name, "A heading")
    return folder / name


def test_the_same_curves_are_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    here = [drawn(tmp_path, f"here{ending}") for ending in ENDINGS]
    there = [tmp_path / f"there{ending}" for ending in ENDINGS]
    subprocess.run([sys.executable, "-c", AGAIN, *map(str, there)], check=True)
    assert [path.read_bytes() for path in here] == [path.read_bytes() for path in there]


def test_each_mark_says_its_figures(tmp_path: Path) -> None:
    root = ET.fromstring(drawn(tmp_path, "curves.svg").read_bytes())
    titles = [title.text for title in root.iter(f"{SVG}title")]
    assert titles[:3] == [
        "mine (measured): 0.1000 bits per pixel, 28.000 dB",
        "mine (measured): 0.2000 bits per pixel, 30.000 dB",
        "mine (measured): 0.4000 bits per pixel, 32.500 dB",
    ]
    assert titles[3] == f"{THEIRS.name} (published): 0.1000 bits per pixel, 27.000 dB"
    assert len(titles) == 5


def places(svg: bytes, group: str) -> list[tuple[float, float]]:
    """Where the marks of a group stand, in the picture's coordinates."""
    root = ET.fromstring(svg)
    found = next(each for each in root.iter(f"{SVG}g") if each.get("id") == group)
    return [(float(use.get("x", 0)), float(use.get("y", 0))) for use in found.iter(f"{SVG}use")]


def test_marks_and_lines_stand_where_their_figures_are(tmp_path: Path) -> None:
    """Against the ticks of the axes, which matplotlib puts on round numbers: every 0.05 bits per pixel, every dB."""
    svg = drawn(tmp_path, "curves.svg").read_bytes()
    ticks_x, ticks_y = ([places(svg, f"{axis}tick_{k}")[0] for k in (1, 2)] for axis in "xy")
    across, up = ticks_x[1][0] - ticks_x[0][0], ticks_y[1][1] - ticks_y[0][1]
    marks = [[places(svg, f"mark-{i}-{j}")[0] for j in range(len(c.points))] for i, c in enumerate((MINE, THEIRS))]
    (left, bottom), first = marks[0][0], MINE.points[0]
    for curve, own in zip((MINE, THEIRS), marks, strict=True):
        for (rate, quality), (x, y) in zip(curve.points, own, strict=True):
            assert x - left == pytest.approx((rate - first[0]) / 0.05 * across, abs=0.01)
            assert y - bottom == pytest.approx((quality - first[1]) * up, abs=0.01)
    assert (left - ticks_x[0][0]) / across == pytest.approx(round((left - ticks_x[0][0]) / across), abs=1e-3)
    assert (bottom - ticks_y[0][1]) / up == pytest.approx(round((bottom - ticks_y[0][1]) / up), abs=1e-3)
    lines = re.findall(r'<path d="(M [^"]+)" clip-path', svg.decode())
    corners = [list(zip(*[iter(map(float, re.findall(r"-?[\d.]+", line)))] * 2, strict=True)) for line in lines]
    for own in marks:
        assert any(
            len(line) == len(own) and line == [pytest.approx(mark, abs=0.01) for mark in own] for line in corners
        )


def test_axes_and_legend_say_what_they_are() -> None:
    axes = _figure([MINE, THEIRS], "A heading").axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("rate (bits per pixel)", "PSNR (dB)")
    assert axes.get_title() == "A heading"
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["mine", f"{THEIRS.name} (published)"]
    many = [Curve(f"codec {k}", "ms-ssim", "measured", MINE.points) for k in range(9)]
    axes = _figure(many, "").axes[0]
    assert axes.get_ylabel() == "MS-SSIM (dB)"
    looks = {(line.get_color(), line.get_marker()) for line in axes.lines if line.get_marker() != ""}
    assert [len(set(each)) for each in (looks, *zip(*looks, strict=True))] == [7, 7, 7], "they come again after seven"


def test_the_published_is_dashed_and_open(tmp_path: Path) -> None:
    text = drawn(tmp_path, "curves.svg").read_text()
    lines = {colour: line for line in text.splitlines() for colour in re.findall("stroke: (#0072b2|#d55e00)", line)}
    assert "stroke-dasharray" not in lines["#0072b2"]
    assert re.search("stroke-dasharray[^>]*#d55e00|#d55e00[^>]*stroke-dasharray", text)
    assert re.search("fill: #ffffff; stroke: #d55e00", text)
    assert re.search("fill: #0072b2; stroke: #0072b2", text)


def test_the_page_stands_by_itself_and_runs_nothing(tmp_path: Path) -> None:
    page = drawn(tmp_path, "curves.html").read_text()
    assert "<script" not in page
    assert "onload=" not in page.replace("&lt;b onload=", "")
    assert re.findall(r"(?:src|href)=\"(?!#)", page) == []
    assert "&lt;b onload=&quot;x()&quot;&gt;$\\alpha$ &amp; _" in page
    assert "<th>bits per pixel</th><th>dB</th>" in page
    assert "<td>0.4000</td><td>32.500</td>" in page
    assert "prefers-color-scheme" in page or "color-scheme: light dark" in page


def test_a_picture_of_points(tmp_path: Path) -> None:
    with Image.open(drawn(tmp_path, "curves.png")) as image:
        assert image.format == "PNG"
        assert image.size[0] > 1000
        assert "Software" not in image.info


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_the_font_lacks_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture, ending: str) -> None:
    """And matplotlib's warning of it, which names files of ours, does not reach anyone."""
    strange = Curve("кодек 日本 \N{LATIN SMALL LETTER E WITH ACUTE}", "psnr", "measured", MINE.points)
    with caplog.at_level(logging.INFO, "codecspec"):
        plot_curves([strange, MINE, strange], tmp_path / f"curves{ending}", "本")
    assert caplog.messages == ["the picture's font has no 日 本; a box stands for each"]


def test_another_ending(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a picture ends in .svg, .png, .html"):
        plot_curves([MINE], tmp_path / "curves.pdf")
    assert list(tmp_path.iterdir()) == []
