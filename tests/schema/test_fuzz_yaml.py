"""Any bytes are a spec or give a SpecError; any text is an expression or gives an ExpressionError."""

from __future__ import annotations

import string
from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codecspec import specs
from codecspec.compiler.canonical import dump_spec, spec_hash
from codecspec.compiler.lower import lower
from codecspec.schema.errors import Problem, SpecError
from codecspec.schema.expressions import MAX_LENGTH, MAX_VALUE, ExpressionError, Value, evaluate
from codecspec.schema.load import parse_spec
from codecspec.schema.model import ModelSpec
from codecspec.schema.yaml_source import parse_yaml, write_yaml

TEXT = specs.path("wacnn").read_bytes()
TOKENS = [
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"-",
    b"&a ",
    b"*a",
    b"*h_s",
    b"null",
    b"true",
    b"1e9",
    b"-1",
    b"0",
    b"\n",
]
TOKENS += [
    b"repeat: ",
    b"type: ",
    b"extends: wacnn\n",
    b"N",
    b"99999",
    b"''",
    b"\t",
    b"\0",
    b"\xff",
    "é".encode(),
    b"  ",
]
PIECES = [
    "N",
    "M",
    "d",
    "i",
    "0",
    "1",
    "7",
    "99999",
    "+",
    "-",
    "*",
    "//",
    "%",
    "(",
    ")",
    "[",
    "]",
    ",",
    " ",
    "min",
    "max",
]
PIECES += ["sum", "len", "**", "/", ".", ":", "if", "lambda", "'", "not ", "=", "\n", "\\", "é", "\0", "\ud800"]
SLOW = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    """wacnn.yaml with a few bytes flipped, and parts of it taken out, doubled, or replaced."""
    text = bytearray(TEXT)
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 40)))
        match draw(st.sampled_from(["flip", "delete", "double", "token"])):
            case "flip":
                text[start : start + 1] = bytes([draw(st.integers(0, 255))])
            case "delete":
                del text[start:end]
            case "double":
                text[start:start] = text[start:end]
            case _:
                text[start:end] = draw(st.sampled_from(TOKENS))
    return bytes(text)


def _load(text: bytes | str) -> ModelSpec | None:
    """The spec, in canonical form, if there is one; anything but a SpecError gets through."""
    try:
        return lower(parse_spec(text)).spec
    except SpecError as error:
        _require_words(error.problems)
        return None


def _require_words(problems: Sequence[Problem]) -> None:
    assert problems
    assert all(problem.message and problem.where and len(str(problem)) < 2000 for problem in problems)


def test_the_text_itself_is_good() -> None:
    assert _load(TEXT) is not None
    assert _load(TEXT.replace(b"{type: gdn}", b"{type: gnd}")) is None


@SLOW
@given(mutations())
def test_mutated_specs(text: bytes) -> None:
    spec = _load(text)
    if spec is not None:
        again = _load(dump_spec(spec))
        assert again is not None
        assert spec_hash(again) == spec_hash(spec)


@SLOW
@given(st.binary(max_size=200) | st.text(max_size=200))
def test_anything_at_all(text: bytes | str) -> None:
    assert _load(text) is None


@SLOW
@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join) | st.text(max_size=30))
def test_expressions(text: str) -> None:
    names: dict[str, Value] = {"N": 192, "M": 0.5, "d": [1, 2, 3], "i": -1}
    try:
        value = evaluate(text, names)
    except ExpressionError as error:
        _require_words([Problem(error.code, "here", error.message)])
        return
    assert len(text) <= MAX_LENGTH
    assert value == names["d"] or (isinstance(value, (int, float)) and abs(value) <= MAX_VALUE)


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(string.ascii_letters, min_size=1), inner, max_size=4)
    ),
    max_leaves=12,
)


@SLOW
@given(st.dictionaries(st.text(string.ascii_letters, min_size=1), PLAIN, min_size=1, max_size=4))
def test_what_is_written_is_read_back(content: dict[str, object]) -> None:
    assert parse_yaml(write_yaml(content)) == content
