"""Pydantic's validation errors in this project's words: code, file:line:column, what was found, what is allowed."""

from __future__ import annotations

from typing import Any, cast, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from codecspec.schema.errors import ErrorCode, Problem, listed, nearest
from codecspec.schema.source import SpecPath, SpecSource, dotted
from codecspec.schema.yaml_source import SourceMap

_CODES = frozenset(get_args(ErrorCode))


def problems_of(error: ValidationError, tree: SourceMap, prefix: SpecPath = ()) -> list[Problem]:
    """One problem per validation error; `prefix` is the path inside `tree` of what was validated."""
    source = SpecSource(tree)
    return [_problem(details, source, prefix) for details in error.errors(include_url=False)]


def _problem(details: ErrorDetails, source: SpecSource, prefix: SpecPath) -> Problem:
    kind, context = details["type"], details.get("ctx", {})
    path = prefix + details["loc"]
    where = source.where(path)
    if kind in _CODES:
        return Problem(cast("ErrorCode", kind), where, context["message"], context["hint"])
    if kind == "union_tag_invalid":
        where = source.where((*path, "type"))
        allowed = [tag.strip(" '") for tag in context["expected_tags"].split(",")]
        message = f"unknown type '{context['tag']}'; allowed here: {listed(allowed)}"
        return Problem("E-unknown-type", where, message, nearest(str(context["tag"]), allowed))
    if kind == "union_tag_not_found":
        found = _shown(details["input"])
        return Problem("E-missing-key", where, f"a mapping with a `type` is needed here, found {found}")
    if kind == "missing":
        return Problem("E-missing-key", where, f"the key '{path[-1]}' is missing in {_owner(path)}")
    if kind == "extra_forbidden":
        return Problem("E-unknown-key", where, f"unknown key '{path[-1]}'")
    if path and path[-1] == "codecspec":
        message = f"`codecspec` is the version of the language: 1; found {_shown(details['input'])}"
        return Problem("E-version", where, message)
    reason = details["msg"].replace("Input should be", "it should be", 1)
    return Problem("E-value", where, f"{_name(path)} is {_shown(details['input'])}; {reason}")


def _owner(path: SpecPath) -> str:
    """What a key is missing in: the tag of the node if there is one, else the path."""
    return "the spec" if len(path) == 1 else f"{path[-2]}" if isinstance(path[-2], str) else dotted(path[:-1])


def _name(path: SpecPath) -> str:
    words = [f"'{step}'" for step in path if isinstance(step, str)]
    return words[-1] if words else "the spec"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return f"a mapping ({listed(map(str, list(value)[:4]))}{', ..' if len(value) > 4 else ''})"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
