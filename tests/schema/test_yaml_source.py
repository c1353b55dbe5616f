"""YAML as this project reads it: plain data, each value with its place."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from codecspec.schema.errors import SchemaError
from codecspec.schema.yaml_source import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_NODES,
    BoundStr,
    Mark,
    SourceList,
    parse_yaml,
    read_yaml,
    write_yaml,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", 7),
        ("-7", -7),
        ("+7", 7),
        ("0", 0),
        ("1.5", 1.5),
        ("-.5", -0.5),
        ("1.", 1.0),
        ("1e5", 1e5),
        ("1.0e-05", 1e-5),
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("True", "True"),
        ("1:30", "1:30"),
        ("010", "010"),
        ("08", "08"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("2018-01-01", "2018-01-01"),
        ("<<", "<<"),
        ("'7'", "7"),
        ('"true"', "true"),
        ("''", ""),
        ("2*N", "2*N"),
        ("999999999999999999", 999999999999999999),
        ("-999999999999999999", -999999999999999999),
        ("[]", []),
        ("{}", {}),
        ("|\n  two\n  lines\n", "two\nlines\n"),
    ],
)
def test_scalar(text: str, value: Any) -> None:
    found = parse_yaml(f"a: {text}")["a"]
    assert found == value
    assert type(found) is type(value) or isinstance(found, (dict, list))


def test_marks() -> None:
    tree = parse_yaml("# a comment\nä: {b: [1, c]}\nd:\n  - e: 2\n", "file.yaml")
    assert str(tree.mark) == "file.yaml:2:1"
    assert tree.key_marks == {"ä": Mark("file.yaml", 2, 1), "d": Mark("file.yaml", 3, 1)}
    assert tree.value_marks == {"ä": Mark("file.yaml", 2, 4), "d": Mark("file.yaml", 4, 3)}
    assert tree["ä"].value_marks["b"] == Mark("file.yaml", 2, 8)
    assert tree["ä"]["b"].item_marks == [Mark("file.yaml", 2, 9), Mark("file.yaml", 2, 12)]
    assert tree["d"][0].mark == Mark("file.yaml", 4, 5)
    assert tree["d"][0].value_marks["e"] == Mark("file.yaml", 4, 8)


def test_an_alias_stands_where_it_stands_and_its_items_where_they_were_written() -> None:
    tree = parse_yaml("a: &x [1, 2]\nb: *x\n", "f")
    assert tree["b"] is tree["a"]
    assert tree.value_marks["b"] == Mark("f", 2, 4)
    assert tree["b"].item_marks[1] == Mark("f", 1, 11)


def test_an_anchor_may_be_set_again() -> None:
    tree = parse_yaml("a: &x 1\nb: *x\nc: &x 2\nd: *x\n")
    assert (tree["b"], tree["d"]) == (1, 2)


@pytest.mark.parametrize(
    "text", ["a: 1", "---\na: 1", "%YAML 1.1\n---\na: 1\n...\n", "\ufeffa: 1", "a: 1\r\n", "{a: 1}"]
)
def test_ways_to_write_a_mapping(text: str) -> None:
    assert parse_yaml(text.encode()) == {"a": 1}


def test_text_and_bytes_are_the_same() -> None:
    assert parse_yaml("a: é") == parse_yaml("a: é".encode()) == {"a": "é"}


def test_read_yaml_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: 1")
    assert str(read_yaml(path).value_marks["a"]) == f"{path}:1:4"
    assert str(read_yaml(path, "name").value_marks["a"]) == "name:1:4"


def test_lone_surrogates_are_no_text() -> None:
    with pytest.raises(SchemaError, match="a spec is UTF-8 text, and the byte 0xED here is not") as caught:
        parse_yaml("a: é\ud800")
    assert (caught.value.code, caught.value.where) == ("E-encoding", "<text>:1:5")


def test_bounds_are_exact() -> None:
    assert len(parse_yaml("a: 1 #" + "x" * (MAX_BYTES - 6))) == 1
    assert len(parse_yaml("a: [" + "1," * (MAX_NODES - 3) + "]")["a"]) == MAX_NODES - 3
    assert parse_yaml("a: " + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1))["a"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: 1 #" + "x" * (MAX_BYTES - 5), "E-too-large"),
        ("a: [" + "1," * (MAX_NODES - 2) + "]", "E-too-large"),
        ("a: " + "[" * MAX_DEPTH + "]" * MAX_DEPTH, "E-too-deep"),
        ("a: 1234567890123456789", "E-value"),
    ],
)
def test_past_a_bound(text: str, code: str) -> None:
    with pytest.raises(SchemaError, match=code):
        parse_yaml(text)


@pytest.mark.parametrize(
    "content",
    [
        {
            "a": [
                "1e5",
                "08",
                "1.5e3",
                "null",
                "~",
                "",
                "true",
                "no",
                "1",
                "-1",
                "1.",
                "<<",
                "*a",
                "&a",
                "!t",
                "# c",
                ": ",
            ]
        },
        {"a": [1, -1, 0.5, 1e-5, 1e300, True, False, None, [], {}, [[1, {"b": None}]]]},
        {"a": "two\nlines", "b": "\ttab", "c": "é ü \u2028 \U0001f600", "d": "\x1b", "e": "x y " * 100},
    ],
)
def test_what_is_written_is_read_back(content: dict[str, Any]) -> None:
    text = write_yaml(content)
    assert parse_yaml(text) == content
    assert write_yaml(parse_yaml_plain(text)) == text


def parse_yaml_plain(text: str) -> Any:
    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        return [plain(item) for item in value] if isinstance(value, SourceList) else value

    return plain(parse_yaml(text))


def test_a_string_out_of_a_repeat_is_pickled_with_its_indexes() -> None:
    again = pickle.loads(pickle.dumps(BoundStr("2*i", {"i": 3})))
    assert (again, again.bindings) == ("2*i", {"i": 3})
