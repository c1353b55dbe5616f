"""Pictures of curves: the same bytes every time, provenance that can be seen, nothing that runs or asks the network."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from PIL import Image

from codecspec.runtime.curves import ENDINGS, plot_curves
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
    assert "<td>0.4000</td><td>32.500</td>" in page
    assert "prefers-color-scheme" in page or "color-scheme: light dark" in page


def test_a_picture_of_points(tmp_path: Path) -> None:
    with Image.open(drawn(tmp_path, "curves.png")) as image:
        assert image.format == "PNG"
        assert image.size[0] > 1000
        assert "Software" not in image.info


def test_another_ending(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a picture ends in .svg, .png, .html"):
        plot_curves([MINE], tmp_path / "curves.pdf")
    assert list(tmp_path.iterdir()) == []
