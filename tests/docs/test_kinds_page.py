"""The page of all kinds is whole: every kind, every field with its meaning, every part in its drawing."""

from __future__ import annotations

import re

import pytest

from codecspec.compiler.kinds import KINDS
from docs.generators.kinds_page import INTERNAL, ROLES, example_of, field_rows, kinds_page, missing_tags, tag_of
from docs.generators.pictures import drawings, graph_of

SPECS = {tag_of(spec): spec for role in ROLES for spec in role.specs}
NOT_DRAWN = {"weight", "bias", "beta_reparam", "gamma_reparam", "channel_context", "latent_codec", "z", "y"}
"""Parts of keys that are no boxes: tensors of a layer, what GDN keeps its parameters positive with, and, of codecs, the
parts that a drawing shows as what they hold."""


def test_every_kind_has_its_section() -> None:
    assert missing_tags() == set()
    assert set(INTERNAL) <= set(KINDS)
    headings = re.findall(r"^### `(\w+)`$", kinds_page(), re.MULTILINE)
    assert sorted(headings) == sorted(set(KINDS) - set(INTERNAL))


@pytest.mark.parametrize("tag", SPECS)
def test_every_field_says_what_it_is_and_whether_a_checkpoint_tells_it(tag: str) -> None:
    rows = field_rows(SPECS[tag])
    assert len(rows) == len(set(SPECS[tag].model_fields) - {"type"})
    silent = [name for name, kind, default, meaning, told in rows if not (kind and default and meaning and told)]
    assert silent == []


@pytest.mark.parametrize("tag", SPECS)
def test_every_part_with_tensors_is_in_the_drawing(tag: str) -> None:
    _, node = example_of(tag)
    own = {name.partition(".")[0] for name in node.tensors}
    parts = own | {child.path.removeprefix(node.path).split(".")[1] for child in node.children}
    boxes = " ".join(f"{box['title']} {box['says']}" for box in graph_of(drawings()[tag])["children"])
    wanted = {part for part in parts if not part.isdecimal()} - NOT_DRAWN
    assert {part for part in wanted if not re.search(rf"\b{part}\b", boxes)} == set()


def test_no_drawing_is_of_nothing() -> None:
    assert set(drawings()) == set(SPECS)
