"""Curves of rate against quality, as a picture: the same bytes every time.

What codecspec measured is a line with filled marks; what others published is dashed, with open marks, and says so in
the legend. Every mark says its figures when it is pointed at, in SVG and HTML.
"""

from __future__ import annotations

import html
import io
import logging
import warnings
import xml.etree.ElementTree as ET  # it reads what matplotlib has just written
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codecspec.runtime.results import Curve
from codecspec.schema.errors import UsageError, listed
from codecspec.schema.whole_file import whole_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENDINGS = (".svg", ".png", ".html")
TITLES = {"psnr": "PSNR", "ms-ssim": "MS-SSIM"}
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Okabe and Ito's, which the colour-blind can tell apart."""
MARKS = ("o", "s", "^", "D", "v", "P", "X")
FONT = "DejaVu Sans"
"""It comes with matplotlib: no other is looked for."""
LOGGER = logging.getLogger("codecspec")
"""Says nothing unless it is asked to, as commands do."""
_SVG = "http://www.w3.org/2000/svg"
_STYLE: Any = {
    "svg.hashsalt": "codecspec",  # else ids are random
    "svg.fonttype": "path",
    "font.family": FONT,
    "text.parse_math": False,  # a name may have dollars in it
    "axes.unicode_minus": True,
}


def plot_curves(curves: Sequence[Curve], path: Path, title: str = "") -> None:
    """Draw curves of one metric into a file; its ending says how.

    Raises:
        UsageError: the ending is none of `ENDINGS`.
    """
    require_ending(path)
    content = _png(curves, title) if path.suffix == ".png" else _text(curves, title, path.suffix)
    with whole_file(path) as partial:
        partial.write_bytes(content)


def require_ending(path: Path) -> None:
    """Refuse a file whose ending names no kind of picture."""
    if path.suffix not in ENDINGS:
        raise UsageError("E-usage", str(path), f"a picture ends in {listed(ENDINGS)}")


def _text(curves: Sequence[Curve], title: str, suffix: str) -> bytes:
    svg = _svg(curves, title)
    return (svg if suffix == ".svg" else _page(curves, title, svg)).encode()


def _figure(curves: Sequence[Curve], title: str) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5.4), layout="constrained")
    axes = figure.add_subplot()
    for i, curve in enumerate(curves):
        measured = curve.provenance == "measured"
        colour, mark = COLOURS[i % len(COLOURS)], MARKS[i % len(MARKS)]
        style: dict[str, Any] = {"color": colour, "linestyle": "-" if measured else "--"}
        style |= {"linewidth": 1.6 if measured else 1.1, "markersize": 5, "marker": mark}
        style |= {"markerfacecolor": colour if measured else "white"}
        axes.plot(curve.rates, curve.qualities, **(style | {"marker": ""}))
        for j, (rate, quality) in enumerate(curve.points):
            axes.plot([rate], [quality], **style, gid=_mark_id(i, j))
        axes.plot([], [], **style, label=_label(curve))
    axes.set_xlabel("rate (bits per pixel)")
    axes.set_ylabel(f"{TITLES[curves[0].metric]} (dB)")
    axes.grid(alpha=0.3, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower right", frameon=False)
    if title:
        axes.set_title(title)
    return figure


def _png(curves: Sequence[Curve], title: str) -> bytes:
    return _saved(curves, title, format="png", dpi=150, metadata={"Software": None})


def _svg(curves: Sequence[Curve], title: str) -> str:
    """The picture, each mark with its figures as its title."""
    content = _saved(curves, title, format="svg", metadata={"Date": None, "Creator": None})
    for prefix, uri in (("", _SVG), ("xlink", "http://www.w3.org/1999/xlink")):
        ET.register_namespace(prefix, uri)
    root = ET.fromstring(content)  # noqa: S314
    groups = {group.get("id"): group for group in root.iter(f"{{{_SVG}}}g")}
    for i, curve in enumerate(curves):
        for j, point in enumerate(curve.points):
            said = ET.Element(f"{{{_SVG}}}title")
            said.text = _said(curve, point)
            groups[_mark_id(i, j)].insert(0, said)
    return ET.tostring(root, encoding="unicode") + "\n"


def _saved(curves: Sequence[Curve], title: str, **options: Any) -> bytes:
    """The figure as matplotlib saves it; that its font lacks a character is said in our words, once."""
    import matplotlib as mpl

    content = io.BytesIO()
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        _figure(curves, title).savefig(content, **options)
    if lacking := _lacking("".join([title, *map(_label, curves)])):
        LOGGER.info("the picture's font has no %s; a box stands for each", " ".join(lacking))
    return content.getvalue()


def _lacking(text: str) -> list[str]:
    """The characters of a text that the font has not."""
    from matplotlib.font_manager import findfont, get_font

    known = get_font(findfont(FONT)).get_charmap()
    return sorted({character for character in text if ord(character) not in known})


def _mark_id(curve: int, point: int) -> str:
    return f"mark-{curve}-{point}"


def _label(curve: Curve) -> str:
    """What the legend says; matplotlib passes over what begins with an underscore."""
    name = f" {curve.name}" if curve.name.startswith("_") else curve.name
    return name if curve.provenance == "measured" else f"{name} (published)"


def _said(curve: Curve, point: tuple[float, float]) -> str:
    return f"{curve.name} ({curve.provenance}): {point[0]:.4f} bits per pixel, {point[1]:.3f} dB"


def _page(curves: Sequence[Curve], title: str, svg: str) -> str:
    """The picture and its figures, in one file that asks for no other."""
    heading = html.escape(title or f"Rate against {TITLES[curves[0].metric]}")
    rows = "\n".join(
        f"<tr><td>{html.escape(curve.name)}</td><td>{curve.provenance}</td><td>{rate:.4f}</td><td>{quality:.3f}</td></tr>"
        for curve in curves
        for rate, quality in curve.points
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{heading}</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}
h1 {{ font-size: 1.3rem }}
svg {{ width: 100%; height: auto; background: #fff; border-radius: 8px }}
g[id^="mark-"] {{ cursor: help }}
table {{ border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums }}
th, td {{ text-align: left; padding: .2rem 1rem .2rem 0; border-bottom: 1px solid #8884 }}
td:nth-child(n+3), th:nth-child(n+3) {{ text-align: right }}
</style>
</head>
<body>
<h1>{heading}</h1>
{svg[svg.index("<svg") :]}
<table>
<thead><tr><th>codec</th><th>provenance</th><th>bits per pixel</th><th>dB</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
</body>
</html>
"""
