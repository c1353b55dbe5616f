"""Pydantic's validation errors in this project's words: code, file:line:column, what was found, what is allowed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from codecspec.schema.errors import ErrorCode, Problem, listed, nearest, shown
from codecspec.schema.fields import WRONG_FORM, Scope
from codecspec.schema.source import SpecPath, SpecSource, dotted
from codecspec.schema.yaml_source import SourceList, SourceMap

_CODES = frozenset(get_args(ErrorCode))
_Context = dict[str, Any]
_NEEDED: dict[str, str] = {
    "tuple_type": "a list",
    "list_type": "a list",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping with a `type`",
    "dict_type": "a mapping of keys to values",
    "string_type": "text, in quotes where it looks like something else",
    "bool_type": "true or false",
    "none_required": "null",
    "finite_number": "a finite number",
}
_BOUNDS: dict[str, Callable[[_Context], str]] = {
    "greater_than": lambda c: f"more than {c['gt']:g}",
    "greater_than_equal": lambda c: f"at least {c['ge']}",
    "less_than_equal": lambda c: f"at most {c['le']}",
    "too_short": lambda c: f"a list of at least {c['min_length']} item{'s' * (c['min_length'] > 1)}",
    "too_long": lambda c: f"a list of at most {c['max_length']} items",
    "string_too_long": lambda c: f"at most {c['max_length']} characters",
    "string_pattern_mismatch": lambda c: f"text like {c['pattern']}",
    WRONG_FORM: lambda c: str(c["allowed"]),
}
_OF_VALUES = ("greater_than", "greater_than_equal", "less_than_equal", "finite_number", "too_short", "too_long")
"""What Pydantic says of a number or a list; where an expression stands for it, it says it of the expression."""


def problems_of(
    error: ValidationError,
    tree: SourceMap,
    scope: Scope,
    prefix: SpecPath = (),
    again: Callable[[], object] | None = None,
) -> list[Problem]:
    """One problem per validation error.

    Args:
        error: what Pydantic found.
        tree: the spec.
        scope: what its expressions were evaluated in.
        prefix: the path inside `tree` of what was validated.
        again: validates once more; needed where a node may lack its `type`.
    """
    source = SpecSource(tree)
    errors = [details for details in error.errors(include_url=False) if not _is_echo(details)]
    types = _missing_types(errors, again) if again else {}
    return [_problem(details, source, scope, prefix, types.get(details["loc"], "")) for details in errors]


def _missing_types(errors: list[ErrorDetails], again: Callable[[], object]) -> dict[SpecPath, str]:
    """The types that are allowed where one is missing.

    Pydantic lists them to a type that it does not know, and not to none at all. So those nodes get one that nobody has
    until they were validated again.
    """
    nodes = [e["input"] for e in errors if e["type"] == "union_tag_not_found" and isinstance(e["input"], dict)]
    if not nodes:
        return {}
    try:
        for node in nodes:
            node["type"] = ""
        again()
    except ValidationError as error:
        invalid = [e for e in error.errors(include_url=False) if e["type"] == "union_tag_invalid"]
        return {e["loc"]: e["ctx"]["expected_tags"] for e in invalid}
    finally:
        for node in nodes:
            node.pop("type", None)
    return {}


def _is_echo(details: ErrorDetails) -> bool:
    """Whether a list is only too short because of its items, which have errors of their own."""
    items = details["input"]
    if details["type"] != "too_short" or isinstance(items, str):  # a name stands for a list that is short by itself
        return False
    return bool(items) or (isinstance(items, SourceList) and items.incomplete)


def _problem(details: ErrorDetails, source: SpecSource, scope: Scope, prefix: SpecPath, types: str) -> Problem:
    kind, context, found = details["type"], details.get("ctx", {}), details["input"]
    path = prefix + details["loc"]
    where = source.where(path)
    if kind in _CODES:
        return Problem(cast("ErrorCode", kind), where, context["message"], context["hint"])
    if kind == "union_tag_invalid":
        return _unknown_type(found["type"], context["expected_tags"], source.where((*path, "type")))
    if kind == "union_tag_not_found" and isinstance(found, dict):
        message = f"the key 'type' is missing in {shown(found)}; allowed here: {listed(_tags(types))}"
        return Problem("E-missing-key", where, message, _without_type(found))
    if kind == "missing":
        return Problem("E-missing-key", where, f"the key '{path[-1]}' is missing in {_owner(path)}")
    if kind == "extra_forbidden":
        return Problem("E-unknown-key", where, f"unknown key {shown(path[-1])}")
    name = _name(source.written_steps(path))
    if kind == "literal_error":
        expected = str(context["expected"]).replace("'", "").replace(" or ", ", ")
        hint = nearest(found, expected.split(", ")) if isinstance(found, str) else ""
        return Problem("E-value", where, f"{name} is {shown(found)}; allowed: {expected}", hint)
    if kind == "union_tag_not_found":
        needed = "a mapping with a `type`"
    else:
        needed = _NEEDED.get(kind) or (_BOUNDS[kind](context) if kind in _BOUNDS else details["msg"])
    is_expression = kind in _OF_VALUES and isinstance(found, str)
    said = f"{shown(scope.evaluate(found))} ({found})" if is_expression else shown(found)
    return Problem("E-value", where, f"{name} is {said}; it must be {needed}")


def _unknown_type(tag: object, expected: str, where: str) -> Problem:
    allowed = _tags(expected)
    hint = nearest(tag, allowed) if isinstance(tag, str) else ""
    return Problem("E-unknown-type", where, f"unknown type {shown(tag)}; allowed here: {listed(allowed)}", hint)


def _tags(expected: str) -> list[str]:
    """The types that Pydantic expects."""
    return [word.strip(" '") for word in expected.split(",")]


def _without_type(found: dict[str, Any]) -> str:
    return "`repeat` stands alone in its item of a list" if "repeat" in found else ""


def _owner(path: SpecPath) -> str:
    """What a key is missing in: the tag of the node if there is one, else the path."""
    return "the spec" if len(path) == 1 else f"{path[-2]}" if isinstance(path[-2], str) else dotted(path[:-1])


def _name(steps: SpecPath) -> str:
    """`'out'`, or `item 2 of 'g_a'`."""
    if not steps:
        return "the spec"
    if isinstance(steps[-1], str):
        return f"'{steps[-1]}'"
    return f"item {steps[-1]} of {_name(steps[:-1])}"
