"""What is wrong with a spec only since params were put in place is said of those, and not of the file.

`--set N=8.5` breaks every line of a file that uses N; none of these lines is what to mend.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from codecspec.schema.errors import MAX_SHOWN, Problem, SchemaError, in_order
from codecspec.schema.yaml_source import MAX_DIGITS

Overrides = Mapping[str, Any]
Check = Callable[[Overrides], object]
"""Reads a spec with these overrides and no others; raises a SchemaError where it is wrong."""


def assignment(name: str, value: Any) -> str:
    """An override as it is given to a command: `--set N=8`; a long value is cut."""
    text = f"--set {name}={_word(value)}"
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 3]}..."


def _word(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{','.join(_word(item) for item in value[:MAX_SHOWN])}]"
    if isinstance(value, dict):
        return "{..}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and abs(value) >= 10**MAX_DIGITS:  # Python refuses to print the very long ones
        return f"{'-' if value < 0 else ''}1{'0' * MAX_SHOWN}"
    return str(value)


def as_overridden(error: SchemaError, overrides: Overrides, check: Check) -> SchemaError:
    """The problems in order, those at places that would be right without an override said of that override.

    Args:
        error: what is wrong with the spec and `overrides`.
        overrides: the params that were put in place.
        check: what found it.
    """
    if not overrides:
        return SchemaError.collect(in_order(error.problems))
    blamed = _Blame(error.problems, overrides, check)
    located = [(blamed.on(problem), problem) for problem in error.problems]
    own = [problem for names, problem in located if not names]
    return SchemaError.collect(in_order([*_said_once(located, overrides), *own]))


class _Blame:
    """Takes overrides away, one and then all, and sees which places come right.

    Args:
        problems: all that is wrong.
        overrides: see `as_overridden`.
        check: see `as_overridden`.
    """

    def __init__(self, problems: tuple[Problem, ...], overrides: Overrides, check: Check) -> None:
        self._names = tuple(overrides)
        places = {problem.where for problem in problems}
        self._right_without = {
            name: places - _wrong_places(check, {key: value for key, value in overrides.items() if key != name})
            for name in overrides
        }
        self._right_without_all = places - _wrong_places(check, {})

    def on(self, problem: Problem) -> tuple[str, ...]:
        """The overrides that make a place wrong; none where it is wrong by itself."""
        guilty = tuple(name for name in self._names if problem.where in self._right_without[name])
        return guilty or (self._names if problem.where in self._right_without_all else ())


def _wrong_places(check: Check, overrides: Overrides) -> set[str]:
    try:
        check(overrides)
    except SchemaError as error:
        return {problem.where for problem in error.problems}
    return set()


def _said_once(located: list[tuple[tuple[str, ...], Problem]], overrides: Overrides) -> list[Problem]:
    """A problem for each thing that is wrong with overrides, however many places say it."""
    said: dict[tuple[str, ...], list[Problem]] = {}
    for names, problem in located:
        if names:
            where = " ".join(assignment(name, overrides[name]) for name in names)
            said.setdefault((where, problem.code, problem.message, problem.hint), []).append(problem)
    return [_moved(in_order(problems), where) for (where, *_), problems in said.items()]


def _moved(problems: list[Problem], where: str) -> Problem:
    first, more = problems[0], len(problems) - 1
    if first.where.startswith("--set "):  # it is said of an override already
        return first
    places = f"{first.where}{f' and {more} more places' if more > 1 else ' and one more place' if more else ''}"
    return Problem(first.code, where, f"{first.message} (at {places})", first.hint)
