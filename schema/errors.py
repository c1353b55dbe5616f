"""What went wrong, where, what is allowed, and what to do: the errors of the whole project.

An error is a `Problem` or several of them: a spec is checked to its end and everything that is wrong with it is said
at once. The families tell who should look: `SchemaError` the author of a spec, `CheckpointError` and `LayoutError`
the owner of a file of weights, `BuildError` and `StreamError` the one who runs a codec. The codes are a closed list,
one section each in docs/errors.md; a test compares the two.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Self

ErrorCode = Literal[
    # reading a spec
    "E-no-such-spec",
    "E-unreadable",
    "E-encoding",
    "E-yaml",
    "E-empty",
    "E-too-large",
    "E-too-deep",
    "E-duplicate-key",
    "E-extends",
    # what a spec says
    "E-unknown-key",
    "E-unknown-type",
    "E-missing-key",
    "E-value",
    "E-expression",
    "E-unknown-param",
    "E-unused-param",
    "E-version",
    # what a spec means
    "E-channels",
    "E-stride",
    "E-groups",
    "E-support",
    "E-leaf",
    "E-context",
    # weights
    "E-checkpoint",
    "E-layout",
    "E-tensors",
    "E-infer",
    # building and running
    "E-contract",
    "E-input",
    "E-memory",
    "E-image",
    "E-latent",
    "E-stream",
    "E-stream-model",
    "E-stream-drift",
    # results
    "E-results",
    "E-curves",
    # commands
    "E-usage",
    "E-output",
]


MAX_PROBLEMS = 100
"""An error says at most so many problems one by one."""
MAX_TENSORS = 20
"""Tensors that are wrong of which an error says each."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Args:
        code: one of `ErrorCode`.
        where: `file:line:column` in a spec, a key in a checkpoint, a byte offset or a slice in a stream.
        message: what was found and what is allowed.
        hint: what to do; may be empty.
    """

    code: ErrorCode
    where: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.code} at {escaped(self.where)}: {self.message}"
        return f"{text}\n  hint: {self.hint}" if self.hint else text


class SpecError(Exception):
    """Base of every error that this project raises on purpose.

    `code`, `where`, `message` and `hint` are those of the first problem; `problems` holds all of them.
    """

    def __init__(self, code: ErrorCode, where: str, message: str, hint: str = "") -> None:
        super().__init__(code, where, message, hint)
        self.problems: tuple[Problem, ...] = (Problem(code, where, message, hint),)

    @classmethod
    def collect(cls, problems: Iterable[Problem]) -> Self:
        """One error that says all `problems` (at least one), in the order given."""
        found = tuple(problems)
        first = found[0]
        error = cls(first.code, first.where, first.message, first.hint)
        error.problems = found
        return error

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.problems)

    @property
    def code(self) -> ErrorCode:
        """One of the closed list; see docs/errors.md."""
        return self.problems[0].code

    @property
    def where(self) -> str:
        """`file:line:column` in a spec, a key in a checkpoint, a byte offset or a slice in a stream."""
        return self.problems[0].where

    @property
    def message(self) -> str:
        """What was found and what is allowed."""
        return self.problems[0].message

    @property
    def hint(self) -> str:
        """What to do; may be empty."""
        return self.problems[0].hint

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


def _rebuild(cls: type[SpecError], problems: tuple[Problem, ...]) -> SpecError:
    return cls.collect(problems)


class SchemaError(SpecError):
    """A spec cannot be read, or says or means something that is not allowed."""


class CheckpointError(SpecError, RuntimeError):
    """A file of weights cannot be read, or its tensors are not those of the model.

    Also a RuntimeError, which is what torch's users catch around `load_state_dict`. Another model's weights differ in
    hundreds of tensors, which tells no more than the first of them; `problems` holds all.
    """

    def __str__(self) -> str:
        said = [str(problem) for problem in self.problems[:MAX_TENSORS]]
        more = len(self.problems) - MAX_TENSORS
        return "\n".join([*said, f"and {more} more; `problems`, or --json, has all"] if more > 0 else said)


class LayoutError(SpecError):
    """A checkpoint's keys or values do not follow the rules of a layout."""


class BuildError(SpecError):
    """A module differs from its plan, or was called with an input that it cannot take."""


class StreamError(SpecError):
    """A coded image cannot be written or read."""


class ResultsError(SpecError):
    """Results of an evaluation cannot be read, drawn or compared."""


class UsageError(SpecError):
    """A command was called with arguments that do not go together."""


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Each problem once, by file, line and column; what has none (an override) first. No more than anyone reads."""
    found = sorted(dict.fromkeys(problems), key=_place)
    if len(found) <= MAX_PROBLEMS:
        return found
    rest = f"{len(found) - MAX_PROBLEMS} more problems from here on; mend those before, and look again"
    return [*found[:MAX_PROBLEMS], Problem("E-too-large", found[MAX_PROBLEMS].where, rest)]


def _place(problem: Problem) -> tuple[str, int, int]:
    file, *numbers = problem.where.rsplit(":", 2)
    if len(numbers) < 2 or not all(number.isdecimal() for number in numbers):
        return "", 0, 0
    return file, int(numbers[0]), int(numbers[1])


def nearest(word: str, allowed: Sequence[str]) -> str:
    """`did you mean 'x'?` for the allowed word nearest to `word`, or an empty string."""
    close = difflib.get_close_matches(word, allowed, n=1) if len(word) <= MAX_SHOWN else []
    return f"did you mean '{close[0]}'?" if close else ""


MAX_SHOWN = 60


def shown(value: object) -> str:
    """What was found, for a message: short, and without control characters."""
    if isinstance(value, dict):
        keys = [str(key) for key in value]
        return f"a mapping ({listed(_cut(key) for key in keys[:4])}{', ..' if len(keys) > 4 else ''})"
    if isinstance(value, (list, tuple)):
        if len(value) > 4 or any(isinstance(item, (dict, list, tuple)) for item in value):
            return f"a list of {len(value)}"
        return f"[{', '.join(shown(item) for item in value)}]"
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    return _cut(repr(value[: 2 * MAX_SHOWN] if isinstance(value, str) else value))


def escaped(name: str) -> str:
    """A name as it is, if it can be printed; else with escapes for what a terminal would obey, or no text can hold."""
    return name if name.isprintable() else repr(name)[1:-1]


def _cut(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 3]}..."


def listed(allowed: Iterable[str]) -> str:
    """The allowed words, for a message: `a, b, c`."""
    return ", ".join(allowed) or "none"
