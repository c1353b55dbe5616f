"""The JSON Schema accepts what the loader accepts before it resolves anything, and refuses what it refuses by form."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

import codecspec as cs
from codecspec import specs
from codecspec.schema.errors import SchemaError
from codecspec.schema.yaml_source import parse_yaml
from tests.contracts.source_files import ROOT
from tests.docs.pages import specs_in_the_pages
from tests.schema.bad_spec import GROUPS, TINY, Bad, spoilt
from tests.schema.test_bad_specs import ALL

SCHEMA = cs.json_schema()
VALIDATOR = Draft7Validator(SCHEMA)
MODELINE = "# yaml-language-server: $schema=codecspec.schema.json"
BY_FORM = ("E-unknown-key", "E-unknown-type", "E-missing-key", "E-version", "E-value")
"""What is wrong by the form of a file; all else is wrong by its meaning (or is no YAML at all)."""

ONLY_EVALUATED = {
    "negative-by-expression": "the value of an expression",
    "list-for-channels": "the value of an expression",
    "leaf-count-negative": "the value of an expression",
    "float-for-integer": "3.0 is an integer in JSON Schema",
    "infinite": "JSON has no infinity, and so no bound below it",
    "index-is-a-param": "one name against others",
    "index-of-the-repeat-around": "one name against others",
}
"""Wrong by form and yet accepted, and what a JSON Schema cannot know."""


def accepts(content: Any) -> bool:
    return VALIDATOR.is_valid(content)


def parsed(text: str | bytes) -> Any:
    """The content of a YAML text; None where it is no YAML."""
    try:
        return parse_yaml(text, "spec.yaml")
    except SchemaError:
        return None


def test_it_is_a_schema_and_every_reference_in_it_leads_somewhere() -> None:
    Draft7Validator.check_schema(SCHEMA)
    definitions = SCHEMA["definitions"]
    named = set(re.findall(r'"#/definitions/(\w+)"', json.dumps(SCHEMA)))
    assert named - set(definitions) == set()
    assert set(definitions) - named == set()


def test_nothing_is_lost_beside_a_reference() -> None:
    """Draft 7 ignores what stands beside `$ref`, so only words about it may."""

    def beside(node: Any) -> set[str]:
        if isinstance(node, list):
            return set().union(*map(beside, node))
        if not isinstance(node, dict):
            return set()
        own = set(node) if isinstance(node.get("$ref"), str) else set()
        return own.union(*map(beside, node.values()))

    assert beside(SCHEMA) <= {"$ref", "description", "default"}


@pytest.mark.parametrize("name", specs.names())
def test_zoo_spec(name: str) -> None:
    text = specs.path(name).read_text()
    assert list(VALIDATOR.iter_errors(parsed(text))) == []
    assert text.splitlines()[0] == MODELINE
    assert (specs.FOLDER / "codecspec.schema.json").is_file(), "it is where the line says, in a clone and installed"


@pytest.mark.parametrize("text", [*specs_in_the_pages(), TINY, GROUPS])
def test_other_good_specs(text: str) -> None:
    assert list(VALIDATOR.iter_errors(parsed(text))) == []


def test_the_file_beside_the_zoo_is_what_the_command_prints() -> None:
    written = json.loads((specs.FOLDER / "codecspec.schema.json").read_text())
    assert written == SCHEMA, "the language changed: codecspec schema -o specs/codecspec.schema.json"


def test_the_wheel_has_it() -> None:
    assert '"codecspec.schema.json"' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize(
    "bad", [bad for bad in ALL if bad.code in BY_FORM and parsed(bad.content) is not None], ids=lambda bad: bad.id
)
def test_what_the_loader_refuses_by_form(bad: Bad) -> None:
    assert accepts(parsed(bad.content)) == (bad.id in ONLY_EVALUATED)


MEANING = ("E-unused-param", "E-channels", "E-stride", "E-groups", "E-support", "E-leaf", "E-context")


@pytest.mark.parametrize("bad", [bad for bad in ALL if bad.code in MEANING], ids=lambda bad: bad.id)
def test_what_is_wrong_by_its_meaning_is_fine_by_form(bad: Bad) -> None:
    assert list(VALIDATOR.iter_errors(parsed(bad.content))) == []


def test_each_exception_is_one() -> None:
    assert {bad.id for bad in ALL} >= set(ONLY_EVALUATED)


@pytest.mark.parametrize(
    "text",
    [
        spoilt("out: M, k", 'out: "(2*M - depths[0]) // 1 % 99 + max(1, 2)", k'),
        spoilt("{N: 8, M: 16, depths: [1, 2]}", "{N: 8, M: N * 2, depths: [1, N // 4], r: 0.5}"),
        spoilt("widths: [8], e", "widths: slices, e", GROUPS),
        spoilt("{equal: slices}", "[4, 4, M // 4, 4]", GROUPS),
        spoilt("{equal: slices}", "{proportions: [1, 2.5, slices]}", GROUPS),
        spoilt("leaf: {type: lrp", "leaf:\n      - {type: gaussian, count: slices - 2}\n      - {type: lrp", GROUPS),
        spoilt("{filter: first, max: 2}", "{slices: [[], [0], [0, 1], [slices - 2]]}", GROUPS),
        spoilt("{type: gdn}", "{repeat: {count: 1, blocks: [{repeat: {count: N, blocks: []}}]}}"),
    ],
)
def test_what_stands_before_anything_is_resolved(text: str) -> None:
    assert list(VALIDATOR.iter_errors(parsed(text))) == []


OVER = {
    "only what differs": ({"latent_codec": {"y": {"support": {"max": 3}}}}, True),
    "a leaf of another kind": ({"latent_codec": {"y": {"leaf": {"type": "gaussian"}}}}, True),
    "another y": ({"latent_codec": {"y": {"type": "raster_scan", "parameters": {"min": 3}}}}, True),
    "a list replaces, so its items are whole": ({"g_a": [{"type": "conv", "kernel": 3}]}, False),
    "an unknown key in a mapping that is merged": ({"latent_codec": {"y": {"suport": {"max": 3}}}}, False),
    "a value of the wrong type": ({"latent_codec": {"y": {"side_in_context": 1}}}, False),
    "a key at the top": ({"gs": []}, False),
    "extends is a name": ({"extends": 3}, False),
}


@pytest.mark.parametrize("case", OVER)
def test_a_spec_that_extends_another_says_only_what_differs(case: str) -> None:
    said, good = OVER[case]
    assert accepts({"extends": "wacnn", "name": "mine", **said}) == good


def test_without_extends_everything_is_there() -> None:
    assert not accepts({"codecspec": 1, "name": "mine"})
    assert not accepts([])
    assert not accepts(None)


def test_descriptions_are_the_docstrings() -> None:
    conv = SCHEMA["definitions"]["ConvSpec"]
    assert conv["description"] == "A convolution with bias, padded by kernel // 2."
    assert conv["properties"]["kernel"]["description"].startswith("Kernel size in positions.")
    missing = [
        f"{name}.{key}"
        for name, definition in SCHEMA["definitions"].items()
        for key, said in definition.get("properties", {}).items()
        if "description" not in said and key != "type" and name != "RepeatedBlocks"
    ]
    assert missing == []


def test_every_block_of_the_language_is_in_it() -> None:
    types = {
        definition["properties"]["type"]["const"]
        for definition in SCHEMA["definitions"].values()
        if "type" in definition.get("properties", {})
    }
    text = "".join(Path(specs.path(name)).read_text() for name in specs.names())
    assert set(re.findall(r"type: (\w+)", text)) <= types
