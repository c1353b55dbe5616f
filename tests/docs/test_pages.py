"""The README and the documentation say what is true: every fence in them is run, see `tests/docs/pages.py`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.contracts.source_files import ROOT
from tests.docs.pages import IN_SOURCE, LANGUAGES, PAGES, Session, blocks, copy_of_the_source

MAX_NOT_RUN = 4


def _provide(page: Path, folder: Path) -> None:
    """What a reader is said to have: a photograph, an authors' checkpoint."""
    text = page.read_text(encoding="utf-8")
    if "photo.png" in text:
        import skimage.data
        from PIL import Image

        photograph = Path(skimage.data.__file__).parent / "coffee.png"
        Image.open(photograph).crop((200, 100, 320, 180)).save(folder / "photo.png")
    if page.name == "README.md":
        import torch

        import codecspec as cs
        from codecspec.compiler.convert import from_canonical
        from codecspec.compiler.layouts import load_layout

        torch.manual_seed(0)
        net = cs.compile_spec("wacnn", N=48, M=80, slices=5)
        tensors = from_canonical(net.state_dict(), load_layout("authors-wacnn")).tensors
        torch.save({"state_dict": tensors, "epoch": 1}, folder / "ckpt.pth.tar")


def _as_parameter(page: Path) -> object:
    in_source = IN_SOURCE in page.read_text(encoding="utf-8")
    return pytest.param(page, id=page.stem, marks=[pytest.mark.slow] if in_source else [])


@pytest.mark.parametrize("page", [_as_parameter(page) for page in PAGES])
def test_every_block_does_what_it_says(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    session = Session(tmp_path)
    if IN_SOURCE in page.read_text(encoding="utf-8"):
        session.environment = copy_of_the_source(tmp_path)
    _provide(page, tmp_path)
    monkeypatch.chdir(tmp_path)
    for block in blocks(page):
        session.run(block)
    session.end()


def test_every_block_says_what_it_is() -> None:
    unknown = [(page.name, block.line) for page in PAGES for block in blocks(page) if block.language not in LANGUAGES]
    assert unknown == []


def test_few_blocks_are_not_run() -> None:
    left = [f"{page.name}:{b.line}" for page in PAGES for b in blocks(page) if b.remark.startswith("not run:")]
    assert len(left) <= MAX_NOT_RUN, left


def test_the_paths_that_the_readme_names_are_there() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / "README.md").read_text())
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
