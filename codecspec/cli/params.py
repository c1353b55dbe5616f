"""`--set K=V`."""

from __future__ import annotations

from typing import Any

from codecspec.schema.errors import SchemaError, UsageError


def params_of(assignments: list[str]) -> dict[str, Any]:
    """The params that `--set` puts in place; values are read as YAML.

    Raises:
        UsageError: an assignment is none, or a param is set twice.
        SchemaError: a value is no YAML.
    """
    from codecspec.schema.yaml_source import parse_yaml

    params: dict[str, Any] = {}
    for assignment in assignments:
        name, _, value = (text.strip() for text in assignment.partition("="))
        if not name or not value or "\n" in value:
            raise UsageError("E-usage", f"--set {assignment}", "a param is set as NAME=VALUE, e.g. --set N=128")
        if "=" in value:  # which no number, list or expression has
            raise UsageError("E-usage", f"--set {assignment}", "one param for each --set: --set N=64 --set M=96")
        if name in params:
            raise UsageError("E-usage", f"--set {assignment}", f"the param {name} is set twice")
        try:
            params[name] = parse_yaml(f"value: {value}")["value"]
        except SchemaError as error:
            hint = error.hint or "a number, a list of numbers as [1, 2], or an expression"
            raise SchemaError(error.code, f"--set {assignment}", error.message, hint) from None
    return params
