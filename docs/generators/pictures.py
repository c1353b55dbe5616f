"""Small drawings of what happens inside a kind of node, laid out and drawn as `compile-spec --graph` draws models."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import quickjs
import yaml

from codecspec import picture
from codecspec.picture import FOLDER as PICTURE

DRAWINGS = Path(__file__).with_name("drawings.yaml")
_STEP = re.compile(r"\[([^\]|]+)(?:\|([^\]]+))?\]|(\S+)")
_BARE = "globalThis.structuredClone = (value) => JSON.parse(JSON.stringify(value));"
_DRAW = """
(text) => {
  SIZE.minWidth = 40;
  const placed = layout(JSON.parse(text), {});
  const bends = placed.edges.flatMap((edge) => edge.points.map((point) => point.y)); // may leave the boxes' rectangle
  const top = Math.floor(Math.min(0, ...bends)) - 4;
  const [width, height] = [Math.ceil(placed.width + 8), Math.ceil(Math.max(placed.height, ...bends) - top + 4)];
  const inside = drawEdges(placed.edges) + placed.inner.map(draw).join("");
  return JSON.stringify(
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="-4 ${top} ${width} ${height}" width="${width}"` +
    ` height="${height}" class="model" role="img">${inside}</svg>`);
}
"""
_LONGEST = 3
"""Letters that a circle has room for; a longer word stands in a box."""
ARROW = (
    '<svg class="arrowhead" width="0" height="0" aria-hidden="true"><defs><marker id="arrow" viewBox="0 0 8 8" '
    'refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto"><path class="tip" d="M0 0.8L8 4L0 7.2z"/>'
    "</marker></defs></svg>"
)
"""The end of an edge, once in a page for all of its drawings."""


@cache
def drawings() -> dict[str, list[str]]:
    """Kind -> its chains, as `drawings.yaml` has them."""
    content: dict[str, list[str]] = yaml.safe_load(DRAWINGS.read_text(encoding="utf-8"))
    return content


def drawing(kind: str) -> str:
    """The drawing of a kind, as SVG without a style of its own."""
    return str(json.loads(_engine()(json.dumps(graph_of(drawings()[kind])))))


def graph_of(chains: list[str]) -> dict[str, Any]:
    """The graph that chains say, in the form that codecspec's own drawing takes."""
    boxes: dict[str, dict[str, Any]] = {}
    edges: list[list[str]] = []
    for chain in chains:
        before = ""
        for step in chain.split(" > "):
            box = _box(step)
            if box["id"] not in boxes or box.get("says"):
                boxes[box["id"]] = box
            if before:
                edges.append([before, box["id"]])
            before = box["id"]
    return {"id": "", "children": list(boxes.values()), "edges": edges, "direction": "LR"}


def _box(step: str) -> dict[str, Any]:
    found = _STEP.fullmatch(step.strip())
    if not found:
        raise ValueError(f"{step!r} is no step of a drawing")
    title, says, word = found.groups()
    if word and len(word.removesuffix("_hat").partition("#")[0]) <= _LONGEST:
        return {"id": word, "shape": "value", "title": word.partition("#")[0], "says": "", "flow": ""}
    name = (word or title).strip()
    shown = name.partition(" #")[0]
    figures = {"flow": "", "parameters": 0, "kmacs": 0, "children": [], "edges": []}
    return {"id": name, "shape": "box", "title": shown, "meaning": "", "says": (says or "").strip(), **figures}


@cache
def _engine() -> Any:
    context = quickjs.Context()
    for script in (_BARE, *((PICTURE / name).read_text(encoding="utf-8") for name in ("dagre.min.js", "draw.js"))):
        context.eval(script)
    return context.eval(_DRAW)


def style() -> str:
    """The style of codecspec's own pictures of models."""
    return (Path(picture.__file__).parent / "picture.css").read_text(encoding="utf-8")
