"""The documentation builds without a warning, and what is built asks nobody for anything."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contracts.source_files import ROOT

pytestmark = pytest.mark.slow
LOADED = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*?\bsrc=[\"']?([^\"'\s>]+)|<link\b[^>]*?\bhref=[\"']?([^\"'\s>]+)"
)
"""What a page loads by itself; where its links lead is for the reader to say."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mkdocs", reason="the documentation needs the extra `docs`")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder


def test_every_page_is_built(site: Path) -> None:
    written = {page.stem for page in (ROOT / "docs").glob("*.md")} | {"kinds", "commands", "python"}
    assert written <= {page.stem for page in site.glob("*.html")}


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    loaded = [
        (page.name, found[1] or found[2])
        for page in site.glob("*.html")
        for found in LOADED.finditer(page.read_text(encoding="utf-8"))
    ]
    assert len(loaded) > 10
    assert [(page, url) for page, url in loaded if re.match(r"(https?:)?//", url)] == []


def test_nothing_that_was_asked_for_is_left_out(site: Path) -> None:
    asked = [page.name for page in site.glob("*.html") if re.search("<!-- (picture of|benchmarks)", page.read_text())]
    assert asked == []
    assert "<svg" in (site / "index.html").read_text(encoding="utf-8")
    assert "benchmarks/startup.py" in (site / "performance.html").read_text(encoding="utf-8")


def test_each_picture_leads_to_its_page(site: Path) -> None:
    for name, picture in (("index", "mbt2018-mean"), ("language", "hyperprior"), ("tutorial", "grouped")):
        assert re.search(rf'href="?pictures/{picture}\.html', (site / f"{name}.html").read_text(encoding="utf-8"))
        assert "default-src 'none'" in (site / "pictures" / f"{picture}.html").read_text(encoding="utf-8")
