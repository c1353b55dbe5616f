"""Pictures of a model: its graph as SVG, or as a page that folds and searches and asks the network for nothing.

dagre (MIT; see dagre.LICENSE) lays the boxes out. One drawing, in draw.js, serves both: a browser runs it in the page,
and QuickJS runs it here for a file of SVG.
"""

from __future__ import annotations

import html
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from codecspec.compiler.canonical import dump_spec
from codecspec.compiler.model_graph import model_graph
from codecspec.compiler.plan import Plan
from codecspec.schema.errors import UsageError, listed
from codecspec.schema.whole_file import whole_file

STACK = 1 << 26
"""Bytes of stack: dagre walks a row of blocks by recursion, and a thread of its own has room for thousands."""
SECONDS = 120
"""What drawing may take."""
FOLDER = Path(__file__).resolve().parent
ENDINGS = (".svg", ".html")
_PRELUDE = "globalThis.structuredClone = (value) => JSON.parse(JSON.stringify(value));"
"""What dagre takes from a browser and QuickJS has not; dagre clones labels of its own, which are plain data."""


def write_picture(plan: Plan, path: Path) -> None:
    """Draw the model into a file; its ending says how.

    Raises:
        UsageError: the ending is none of `ENDINGS`, or the model is too large for a picture.
    """
    require_ending(path)
    content = svg(plan) if path.suffix == ".svg" else page(plan)
    with whole_file(path) as partial:
        partial.write_text(content, encoding="utf-8")


def require_ending(path: Path) -> None:
    """Refuse a file whose ending names no kind of picture."""
    if path.suffix not in ENDINGS:
        raise UsageError("E-usage", str(path), f"a picture of a model ends in {listed(ENDINGS)}")


def svg(plan: Plan) -> str:
    """The model as SVG, light or dark as whoever shows it is.

    Raises:
        UsageError: it is too large.
    """
    before = threading.stack_size(STACK)
    try:
        with ThreadPoolExecutor(1) as thread:
            drawn = thread.submit(_draw, json.dumps(model_graph(plan)))
    finally:
        threading.stack_size(before)
    return drawn.result()


def _draw(graph: str) -> str:
    import quickjs

    context = quickjs.Context()
    context.set_max_stack_size(STACK * 3 // 4)
    context.set_time_limit(SECONDS)
    try:
        for script in (_PRELUDE, _asset("dagre.min.js"), _asset("draw.js")):
            context.eval(script)
        # As JSON, since the binding gives back no text that QuickJS still holds in pieces.
        draw = context.eval("(graph, style) => JSON.stringify(picture(JSON.parse(graph), {}, style))")
        return f"{json.loads(draw(graph, _asset('picture.css')))}\n"
    except quickjs.JSException as error:
        message = f"the model is too large to be laid out ({str(error).splitlines()[0]})"
        raise UsageError("E-usage", "--graph", message) from error


def page(plan: Plan) -> str:
    """The model as a page of HTML."""
    parts = {
        "title": html.escape(plan.spec.name),
        "spec": html.escape(dump_spec(plan.spec)),
        "graph": json.dumps(model_graph(plan)).replace("<", "\\u003c"),
        "style": json.dumps(_asset("picture.css")),
        **{name: _asset(file) for name, file in {"page_style": "page.css", "dagre": "dagre.min.js"}.items()},
        **{name: _asset(file) for name, file in {"draw": "draw.js", "interact": "page.js"}.items()},
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], _asset("page.html"))


@cache
def _asset(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")
