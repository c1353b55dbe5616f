"""YAML -> ModelSpec: read, extend, evaluate, unroll, validate; every problem of a file at once.

read_yaml -> extends (base first, deep merge) -> params (file, then overrides) -> repeats unrolled -> validated
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from codecspec.schema.errors import SchemaError
from codecspec.schema.extends import merge_extends
from codecspec.schema.fields import Scope
from codecspec.schema.model import ModelSpec
from codecspec.schema.overrides import as_overridden
from codecspec.schema.params import evaluate_params, unused_params
from codecspec.schema.problems import problems_of
from codecspec.schema.repeats import unroll
from codecspec.schema.source import SpecSource, locate
from codecspec.schema.spec_files import find_spec
from codecspec.schema.yaml_source import SourceMap, parse_yaml, read_yaml

SpecLike = str | os.PathLike[str] | Mapping[str, Any] | ModelSpec


def load_spec(spec: SpecLike, /, **params: Any) -> ModelSpec:
    """A spec by name, path or content, with some of its params replaced.

    Args:
        spec: the name of a zoo spec ("wacnn"), the path of a YAML file, a mapping of the same content, or a spec that
            was loaded before, whose params stay as they are unless replaced.
        params: values in place of the spec's own: numbers, lists of numbers, or expressions over the params before.

    Raises:
        SchemaError: all that is wrong, each with file, line and column.
    """
    if isinstance(spec, ModelSpec):
        return _reloaded(spec, params) if params else spec
    if isinstance(spec, Mapping):
        return resolve(merge_extends(locate(spec), Path.cwd(), find_spec), params)
    path = find_spec(os.fspath(spec))
    return resolve(merge_extends(read_yaml(path), path.parent, find_spec), params)


def parse_spec(text: str | bytes, name: str = "<text>", **params: Any) -> ModelSpec:
    """A spec out of YAML text; `name` stands for the file in errors. See `load_spec`."""
    return resolve(merge_extends(parse_yaml(text, name), Path.cwd(), find_spec), params)


def parse_whole_spec(text: str, name: str) -> ModelSpec:
    """A spec out of YAML text from a file that is not trusted to name others: it may not extend anything."""
    tree = parse_yaml(text, name)
    if "extends" in tree:
        raise SchemaError("E-extends", str(tree.key_marks["extends"]), "a spec inside another file stands by itself")
    return resolve(tree, {})


def resolve(written: SourceMap, params: Mapping[str, Any]) -> ModelSpec:
    """The spec that a merged tree says once `params` are in place.

    Raises:
        SchemaError: all that is wrong; what is wrong only with `params` is said of them.
    """
    try:
        return _resolved(written, params)
    except SchemaError as error:
        raise as_overridden(error, params, lambda others: _resolved(written, others)) from None


def _resolved(written: SourceMap, params: Mapping[str, Any]) -> ModelSpec:
    scope = evaluate_params(written, params)
    tree = unroll(written, scope)
    tree.pop("params", None)
    try:
        spec = _validate(tree, scope)
    except ValidationError as error:
        scope.problems += problems_of(error, tree, scope, again=lambda: _validate(tree, Scope(scope.params)))
        raise SchemaError.collect(scope.problems) from None
    problems = scope.problems or unused_params(written, scope)
    if problems:
        raise SchemaError.collect(problems)
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in scope.params.items()}
    spec = spec.model_copy(update={"params": values})
    spec._source = SpecSource(tree, written, params)
    return spec


def _validate(tree: SourceMap, scope: Scope) -> ModelSpec:
    return ModelSpec.model_validate(tree, context=scope)


def _reloaded(spec: ModelSpec, params: Mapping[str, Any]) -> ModelSpec:
    if spec.source.written is None:
        raise SchemaError("E-unknown-param", spec.name, "this spec was made in Python and has no params to replace")
    return resolve(spec.source.written, {**spec.source.overrides, **params})
