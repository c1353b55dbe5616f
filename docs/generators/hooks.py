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
from codecspec.picture import svg
from docs.generators.commands_page import commands_page
from docs.generators.kinds_page import kinds_page
from docs.generators.pictures import style

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
_PICTURE = re.compile(r"<!-- picture of (\S+) -->")
_SPEC = re.compile(r'^```yaml title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    generated = {"kinds.md": kinds_page(), "commands.md": commands_page(), "assets/picture.css": style()}
    for path, content in generated.items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, **_page: Any) -> str:
    """Put in what a page asks for: `<!-- picture of NAME -->`, a model of the zoo or a spec that stands in the page,
    and `<!-- benchmarks -->`, what each of them says of itself."""
    markdown = markdown.replace("<!-- benchmarks -->", _benchmarks())
    with tempfile.TemporaryDirectory() as folder:
        for name, text in _SPEC.findall(markdown):  # the last of a name is the one that is right
            (Path(folder) / name).write_text(text, encoding="utf-8")
        return _PICTURE.sub(lambda found: _drawn(found[1], Path(folder)), markdown)


def _drawn(name: str, folder: Path) -> str:
    drawn = svg(cs.lower(cs.load_spec(folder / name if name.endswith(".yaml") else name)))
    return f'<figure class="kind">{re.sub("<style>.*?</style>", "", drawn, flags=re.DOTALL).strip()}</figure>'


def _benchmarks() -> str:
    files = sorted(BENCHMARKS.glob("*.py"))
    documented = {file.name: ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "" for file in files}
    return "\n".join(f"### {name}\n\n{text}\n" for name, text in documented.items())
