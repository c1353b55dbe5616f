"""The families of the zoo, and whether a checkpoint is of one: params solved, lowered, compared tensor by tensor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from codecspec import specs
from codecspec.compiler.canonical_tensors import CanonicalTensors
from codecspec.compiler.inference.equations import ParamSolver, Solved
from codecspec.compiler.inference.unify import unify
from codecspec.compiler.layouts import Layout
from codecspec.compiler.lower import lower
from codecspec.compiler.plan import Plan
from codecspec.compiler.read_model import ModelReading
from codecspec.schema.errors import Problem, SchemaError
from codecspec.schema.extends import merge_extends
from codecspec.schema.load import resolve
from codecspec.schema.params import evaluate_params
from codecspec.schema.spec_files import find_spec
from codecspec.schema.yaml_source import SourceMap, read_yaml

MAX_PLANS = 64
"""Plans of families that are kept: a folder of checkpoints has a few variants many times."""


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """A spec of the zoo, whose params a checkpoint may have set.

    Args:
        name: its name.
        written: the spec as it is written, with all that it extends; expressions and repeats are still there.
    """

    name: str
    written: SourceMap

    def params(self, **overrides: Any) -> dict[str, Any]:
        """Its params and their values, with some in place of its own."""
        values = evaluate_params(self.written, overrides).params
        return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


@dataclass(frozen=True, slots=True)
class Fit:
    """A family against a checkpoint.

    Args:
        family: the family.
        plan: its plan at the params that the checkpoint says; None where there is none.
        overrides: the params that differ from the family's own.
        solved: every param that tensors tell, and which tensor.
        differences: what keeps the plan from being the checkpoint's, in words; none where it is.
        problems: the same tensor by tensor.
    """

    family: Family
    plan: Plan | None
    overrides: dict[str, Any]
    solved: dict[str, Solved]
    differences: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def proved(self) -> bool:
        """Whether the plan has exactly the checkpoint's tensors."""
        return self.plan is not None and not self.problems and not self.differences


def families(layout: Layout | None) -> Iterator[Family]:
    """The families whose checkpoints may be in a layout; every one for the canonical layout."""
    for name in specs.names():
        if layout is None or name in layout.families:
            yield _family(name)


@cache
def _family(name: str) -> Family:
    path = specs.path(name)
    return Family(name, merge_extends(read_yaml(path), path.parent, find_spec))


def fit(family: Family, reading: ModelReading, tensors: CanonicalTensors, *, near: bool = False) -> Fit:
    """The params of a family that make its plan a checkpoint's, and what is left of differences.

    With `near` a family that cannot be the checkpoint's is lowered and compared all the same.
    """
    unification = unify(family.written, reading)
    solver = ParamSolver(family.params())
    solved = solver.solve(unification.equations)
    differences = list(unification.differences)
    differences += [f"{each.path}: {each.value} here, {each.written} in the family" for each in solver.failed]
    if differences and not near:
        return Fit(family, None, {}, solved, tuple(differences))
    overrides = _overrides(family, solved)
    try:
        plan = _plan(family, tuple(overrides.items()))
    except SchemaError as error:
        said = [f"{problem.where}: {problem.message}" for problem in error.problems]
        return Fit(family, None, overrides, solved, (*differences, *said))
    problems = tuple(tensors.differences(plan))
    return Fit(family, plan, overrides, solved, tuple(differences), problems)


def _overrides(family: Family, solved: Mapping[str, Solved]) -> dict[str, Any]:
    """The params whose values differ from what the family comes to with those before them in place."""
    overrides: dict[str, Any] = {}
    values = family.params()
    for name in values:
        if name in solved and solved[name].value != values[name]:
            overrides[name] = solved[name].value
            values = family.params(**overrides)
    return overrides


@lru_cache(MAX_PLANS)
def _plan(family: Family, overrides: tuple[tuple[str, Any], ...]) -> Plan:
    return lower(resolve(family.written, dict(overrides)))
