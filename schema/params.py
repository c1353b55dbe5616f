"""The params of a spec: from its file, then from the caller, evaluated in the order in which they stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codecspec.schema.errors import Problem, SchemaError, listed, nearest, shown
from codecspec.schema.expressions import MAX_VALUE, ExpressionError, Value, check_name, evaluate
from codecspec.schema.fields import Scope
from codecspec.schema.overrides import assignment
from codecspec.schema.yaml_source import Mark, SourceList, SourceMap

MAX_PARAMS = 64
MAX_ITEMS = 1_024


def evaluate_params(tree: SourceMap, overrides: Mapping[str, Any]) -> Scope:
    """The scope of a spec: its `params` with `overrides` in their place, expressions evaluated.

    A param may name the params that stand before it, so `groups: [16, 16, M - 32]` follows an override of M.
    Problems go to the scope, where a param whose override is none has the file's own value.

    Raises:
        SchemaError: `params` is not a mapping, or an override names no param.
    """
    declared = tree.get("params")
    if declared is None:
        declared = SourceMap(tree.mark)
    if not isinstance(declared, SourceMap) or len(declared) > MAX_PARAMS:
        mark = tree.value_marks["params"]
        message = f"`params` is a mapping of at most {MAX_PARAMS} names to numbers or lists"
        raise SchemaError("E-value", str(mark), message)
    _refuse_unknown(declared, overrides)
    scope = Scope()
    for name in declared:
        try:
            check_name(name)
        except ExpressionError as error:
            scope.problems.append(Problem(error.code, str(declared.key_marks[name]), error.message, error.hint))
        # The file's own value is evaluated also where another is in its place: the params that it names are in use.
        own = _evaluated(name, declared[name], str(declared.value_marks[name]), scope)
        given = own
        if name in overrides:
            given = _evaluated(name, overrides[name], assignment(name, overrides[name]), scope)
        if isinstance(given, Problem):
            scope.problems.append(given)
        scope.params[name] = next((value for value in (given, own) if not isinstance(value, Problem)), 1)
    return scope


def unused_params(tree: SourceMap, scope: Scope) -> list[Problem]:
    """A problem for each param of the file itself that no expression names: most likely a typo.

    A param of a spec that it extends may be left without use by what the file says in place of its expressions.
    """
    declared = tree.get("params")
    if not isinstance(declared, SourceMap):
        return []
    own = [name for name in declared if declared.key_marks[name].file == tree.mark.file]
    return [_unused(name, declared.key_marks[name], scope) for name in own if name not in scope.used]


def _unused(name: str, mark: Mark, scope: Scope) -> Problem:
    others = [other for other in scope.params if other != name]
    message = f"no expression names the param {shown(name)}"
    return Problem("E-unused-param", str(mark), message, nearest(name, others) or "take it out, or use it")


def _refuse_unknown(declared: SourceMap, overrides: Mapping[str, Any]) -> None:
    known = list(declared)
    problems = []
    for name, value in overrides.items():
        if name not in known:
            message = f"no param '{name}'; params: {listed(known)}"
            problems.append(Problem("E-unknown-param", assignment(name, value), message, nearest(name, known)))
    if problems:
        raise SchemaError.collect(problems)


def _evaluated(name: str, value: Any, at: str, scope: Scope) -> Value | Problem:
    try:
        return _value(value, scope)
    except ExpressionError as error:
        return Problem(error.code, at, f"param {name}: {error.message}", error.hint)


def _value(value: Any, scope: Scope) -> Value:
    if isinstance(value, (SourceList, list, tuple)):
        if len(value) > MAX_ITEMS:
            raise ExpressionError(f"a list of {len(value)} items; at most {MAX_ITEMS}", code="E-value")
        return [_number(item, scope) for item in value]
    if isinstance(value, str):
        return evaluate(value, scope.params, scope.used)
    return _number(value, scope)


def _number(value: Any, scope: Scope) -> int | float:
    result = evaluate(value, scope.params, scope.used) if isinstance(value, str) else value
    if isinstance(result, bool) or not isinstance(result, (int, float)):
        raise ExpressionError(f"a param is a number or a list of numbers, found {shown(result)}", code="E-value")
    if not -MAX_VALUE <= result <= MAX_VALUE:
        raise ExpressionError(f"the number is not between -{MAX_VALUE} and {MAX_VALUE}", code="E-value")
    return result
