"""What MkDocs calls: the pages that are made from the code are made here, at every build.

python -m mkdocs build --strict       (with the repository on Python's path, which `-m` sees to)
"""

from __future__ import annotations

import ast
import re
import tempfile
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import codecspec as cs
from codecspec.compiler.plan import Plan
from codecspec.picture import page, svg
from docs.generators.commands_page import commands_page
from docs.generators.kinds_page import kinds_page
from docs.generators.pictures import style
from docs.generators.python_page import python_page

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
_PICTURE = re.compile(r"<!-- picture of (\S+) -->")
_SPEC = re.compile(r'^```yaml title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages, and of each model that a page draws the interactive picture."""
    generated = {"kinds.md": kinds_page(), "commands.md": commands_page(), "python.md": python_page()}
    generated["assets/picture.css"] = style()
    for written in [file for file in files if file.src_uri.endswith(".md")]:
        for name, plan in _drawn_in(written.content_string).items():
            generated[_page_of(name)] = page(plan)
    for path, content in generated.items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, **_page: Any) -> str:
    """Put in what a page asks for: `<!-- picture of NAME -->`, a model of the zoo or a spec that stands in the page,
    and `<!-- benchmarks -->`, what each of them says of itself."""
    plans = _drawn_in(markdown)
    markdown = markdown.replace("<!-- benchmarks -->", _benchmarks())
    return _PICTURE.sub(lambda found: _figure(found[1], plans[found[1]]), markdown)


def _drawn_in(markdown: str) -> dict[str, Plan]:
    """The plan of each model whose picture a page asks for."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in _SPEC.findall(markdown):  # the last of a name is the one that is right
            (Path(folder) / name).write_text(text, encoding="utf-8")
        asked = _PICTURE.findall(markdown)
        return {name: cs.lower(cs.load_spec(_spec_of(name, folder))) for name in asked}


def _spec_of(name: str, folder: str) -> Path | str:
    return Path(folder) / name if name.endswith(".yaml") else name


def _page_of(name: str) -> str:
    return f"pictures/{name.removesuffix('.yaml')}.html"


def _figure(name: str, plan: Plan) -> str:
    drawn = re.sub("<style>.*?</style>", "", svg(plan), flags=re.DOTALL).strip()
    told = f'<a href="{_page_of(name)}">Open it full size</a>, with folding, search and the spec.'
    return f'<figure class="kind model">{drawn}<figcaption>{told}</figcaption></figure>'


def _benchmarks() -> str:
    files = sorted(BENCHMARKS.glob("*.py"))
    documented = {file.name: ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "" for file in files}
    return "\n".join(f"### {name}\n\n{text}\n" for name, text in documented.items())
