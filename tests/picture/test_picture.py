"""Pictures of models: every box inside its parent and beside its neighbours, and nothing asked of the network."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
import quickjs

import codecspec as cs
from codecspec import picture, specs
from codecspec.compiler.model_graph import model_graph
from codecspec.compiler.plan import Plan

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "</script><script>alert(1)</script> & {{graph}} {{nothing}}"


def plan_of(name: str = "mbt2018-mean", **changes: Any) -> Plan:
    spec = cs.load_spec(name)
    return cs.lower(spec.model_copy(update=changes) if changes else spec)


def groups_of(svg: str) -> dict[str, ET.Element]:
    root = ET.fromstring(svg)
    return {group.get("data-id", ""): group for group in root.iter(f"{SVG}g") if group.get("data-id")}


def rectangle(group: ET.Element) -> tuple[float, float, float, float]:
    """Left, top, right, bottom in the parent's coordinates."""
    x, y = map(float, re.findall(r"-?[\d.]+", group.get("transform", "")))
    rect = group.find(f"{SVG}rect")
    width, height = (float(rect.get(side, 0)) for side in ("width", "height")) if rect is not None else (0.0, 0.0)
    return x, y, x + width, y + height


@pytest.mark.parametrize("name", specs.names())
def test_boxes_stand_inside_their_parents_and_beside_each_other(name: str) -> None:
    svg = picture.svg(plan_of(name))
    groups = groups_of(svg)
    drawn = [box for box in _shown(model_graph(plan_of(name))["root"]) if box["id"]]
    assert list(groups) == [box["id"] for box in drawn]
    for group in groups.values():
        _, _, right, bottom = rectangle(group)
        left, top = rectangle(group)[:2]
        inner = [rectangle(child) for child in group.findall(f"{SVG}g")]
        for i, (a, b, c, d) in enumerate(inner):
            assert 0 <= a < c <= right - left
            assert 0 <= b < d <= bottom - top
            assert all(c <= e or g <= a or d <= f or h <= b for e, f, g, h in inner[:i]), "two boxes overlap"


def _shown(box: dict[str, Any]) -> list[dict[str, Any]]:
    inside = [] if box.get("folded") else [each for child in box.get("children", []) for each in _shown(child)]
    return [box, *inside]


def test_every_edge_that_is_shown_is_drawn() -> None:
    svg = picture.svg(plan_of("wacnn"))
    drawn = [(path.get("data-from"), path.get("data-to")) for path in ET.fromstring(svg).iter(f"{SVG}path")]
    shown = [tuple(edge) for box in _shown(model_graph(plan_of("wacnn"))["root"]) for edge in box.get("edges", [])]
    assert sorted(edge for edge in drawn if edge[0]) == sorted(
        edge for edge in shown if not edge[0].startswith("latent_codec.y.")
    )


def test_the_sum_tells_what_only_training_has_apart() -> None:
    assert "64.99 M parameters (and 29.27 M for training only)" in picture.svg(plan_of("cca-aux"))


def test_a_long_title_makes_the_picture_wider() -> None:
    spec = cs.load_spec("bmshj2018-factorized")
    reference = spec.reference
    assert reference is not None
    titled = spec.model_copy(update={"reference": reference.model_copy(update={"title": "A title " * 40})})
    widths = [float(ET.fromstring(picture.svg(cs.lower(each))).get("width", 0)) for each in (spec, titled)]
    assert widths[1] > widths[0] + 500


def test_only_what_folds_has_its_mark() -> None:
    assert not set("▾▸") & set(picture.svg(plan_of("wacnn")))
    assert "▾" in picture.page(plan_of("wacnn"))


def test_a_box_shows_its_figures() -> None:
    group = groups_of(picture.svg(plan_of("wacnn")))["g_a.0"]
    text = " ".join(" ".join(element.itertext()) for element in group.iter(f"{SVG}text"))
    assert text == "conv 5x5, stride 2 3 → 192 @ 1/2 14.6 k params · 3.60 kMAC/px"


@pytest.mark.parametrize(
    ("parameters", "kmacs", "said"),
    [
        (0, 0, ""),
        (1, 0.004, "1 params · 0.00 kMAC/px"),
        (999, 9.994, "999 params · 9.99 kMAC/px"),
        (1_000, 10, "1.0 k params · 10.0 kMAC/px"),
        (999_949, 0, "999.9 k params"),
        (1_000_000, 0, "1.00 M params"),
        (75_235_779, 525.44, "75.24 M params · 525.4 kMAC/px"),
        (0, 1_234.56, "1234.6 kMAC/px"),
    ],
)
def test_figures_are_rounded(parameters: int, kmacs: float, said: str) -> None:
    context = quickjs.Context()
    context.eval(picture._asset("draw.js"))
    assert context.eval(f"figures({{parameters: {parameters}, kmacs: {kmacs}}})") == said


def test_the_sum_is_that_of_the_plan() -> None:
    figures = cs.statistics(plan_of("wacnn"))
    svg = picture.svg(plan_of("wacnn"))
    assert f"{figures.parameters / 1e6:.2f} M parameters · {figures.kmacs_per_pixel:.1f} kMAC/px · The Devil" in svg


def test_a_tensor_shows_its_channels() -> None:
    group = groups_of(picture.svg(plan_of("wacnn")))["z_hat"]
    assert ["".join(text.itertext()) for text in group.iter(f"{SVG}text")] == ["^", "z", "192 @ 1/64"]


def test_the_same_plan_is_the_same_picture_and_it_can_be_dark() -> None:
    first, second = picture.svg(plan_of()), picture.svg(plan_of())
    assert first == second
    assert "prefers-color-scheme: dark" in first


def test_a_page_stands_by_itself() -> None:
    page = picture.page(plan_of())
    assert re.findall(r"(?:src|href)=(?![\"']?data:).{20}", page) == []
    assert "default-src 'none'" in page
    assert "{{" not in page.replace(picture._asset("dagre.min.js"), "")
    assert "name: mbt2018-mean" in page


def test_hostile_words_are_words() -> None:
    reference = cs.load_spec("mbt2018-mean").reference
    assert reference is not None
    plan = plan_of(reference=reference.model_copy(update={"title": HOSTILE}))
    page = picture.page(plan)
    assert page.count("<script>") == page.count("</script>") == 3
    assert "{{nothing}}" in page
    ET.fromstring(picture.svg(plan))
    assert "<script" not in picture.svg(plan)


def test_written_whole_or_not_at_all(tmp_path: Path) -> None:
    picture.write_picture(plan_of(), tmp_path / "model.svg")
    assert (tmp_path / "model.svg").read_text() == picture.svg(plan_of())
    with pytest.raises(cs.UsageError, match="a picture of a model ends in .svg, .html"):
        picture.write_picture(plan_of(), tmp_path / "model.png")
    assert [path.name for path in tmp_path.iterdir()] == ["model.svg"]


def test_dagre_is_the_one_that_its_notice_names() -> None:
    context = quickjs.Context()
    context.eval(picture._asset("dagre.min.js"))
    assert json.loads(context.eval("JSON.stringify(dagre.version)")) == "3.1.3"
    notice = (Path(__file__).parents[2] / "NOTICE").read_text()
    assert "dagre 3.1.3" in notice
    assert "Permission is hereby granted" in (picture.FOLDER / "dagre.LICENSE").read_text()


def test_a_row_of_many_blocks() -> None:
    blocks = cs.load_spec("mbt2018-mean").g_a
    plan = plan_of(g_a=(blocks[0], *(blocks[1:2] * 400), *blocks[2:]))
    assert len(groups_of(picture.svg(plan))) > 400


def test_what_takes_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "SECONDS", 0)
    with pytest.raises(cs.UsageError, match="too large to be laid out"):
        picture.svg(plan_of("wacnn"))
