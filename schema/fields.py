"""What every node of a spec shares: the base model, and numbers that may be expressions.

Validation runs with a `Scope` as Pydantic's context. It holds the params, notes which of them were used, and collects
the problems that Pydantic has no good words for (an unknown key, with its own line and the nearest allowed word).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError

from codecspec.schema.errors import Problem, listed, nearest, shown
from codecspec.schema.expressions import ExpressionError, Value, evaluate
from codecspec.schema.yaml_source import BoundStr, SourceMap

MAX_CHANNELS = 65_536
MAX_SLICES = 1_024

WRONG_FORM = "wrong_form"
"""Pydantic's error type for a value that is none of the forms of a union; its context says which are `allowed`."""


@dataclass(slots=True)
class Scope:
    """The params of a spec while it is validated, and what came to light on the way."""

    params: dict[str, Value] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)

    def evaluate(self, text: str) -> Value:
        """The value of an expression over the params and the indexes of the repeats around it."""
        bindings = text.bindings if isinstance(text, BoundStr) else {}
        return evaluate(str(text), {**self.params, **bindings}, self.used)


class SpecModel(BaseModel):
    """Base of every node of a spec: immutable, and no key passes unread."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    training_only: ClassVar[frozenset[str]] = frozenset()
    """Fields that only training sees; no part of a spec's hash."""

    @model_validator(mode="wrap")
    @classmethod
    def _refuse_unknown_keys(cls, data: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        scope = info.context
        if not isinstance(data, SourceMap) or not isinstance(scope, Scope):
            return handler(data)
        fields = list(cls.model_fields)
        unknown = [key for key in data if key not in fields]
        for key in unknown:
            message = f"unknown key {shown(key)}; allowed here: {listed(fields)}"
            scope.problems.append(Problem("E-unknown-key", str(data.key_marks[key]), message, nearest(key, fields)))
        return handler({key: value for key, value in data.items() if key in fields} if unknown else data)


def _expression(value: Any, info: ValidationInfo) -> Any:
    """A string becomes the value of its expression; anything else stays for the field to judge."""
    if not isinstance(value, str):
        return value
    scope = info.context if isinstance(info.context, Scope) else Scope()
    try:
        return scope.evaluate(value)
    except ExpressionError as error:
        raise PydanticCustomError(error.code, "{message}", {"message": error.message, "hint": error.hint}) from None


def _integer(value: Any, info: ValidationInfo) -> Any:
    result = _expression(value, info)
    if isinstance(result, bool) or not isinstance(result, int):
        message = f"an integer is needed, found {shown(result)}"
        raise PydanticCustomError("E-value", "{message}", {"message": message, "hint": ""})
    return result


def _number(value: Any, info: ValidationInfo) -> Any:
    result = _expression(value, info)
    if isinstance(result, bool) or not isinstance(result, (int, float)):
        message = f"a number is needed, found {shown(result)}"
        raise PydanticCustomError("E-value", "{message}", {"message": message, "hint": ""})
    return float(result)


def _odd(kernel: int) -> int:
    if kernel % 2 == 0:
        message = f"a kernel is odd, found {kernel}: padded by kernel // 2, an even one does not keep the size"
        raise PydanticCustomError("E-value", "{message}", {"message": message, "hint": ""})
    return kernel


def takes_expressions(validator: object) -> bool:
    """Whether a validator of Pydantic's is one of those that let an expression stand for the value."""
    return validator in (_expression, _integer, _number)


def is_odd_validator(validator: object) -> bool:
    """Whether a validator of Pydantic's is the one that asks for an odd number."""
    return validator is _odd


_INTEGER = BeforeValidator(_integer)
AS_LIST = BeforeValidator(_expression)
"""For a list that may be a param."""

Integer = Annotated[int, _INTEGER]
"""An integer, or an expression."""

Channels = Annotated[int, _INTEGER, Field(ge=1, le=MAX_CHANNELS)]
"""A number of channels."""

Size = Annotated[int, _INTEGER, Field(ge=1, le=255)]
"""A stride, window or factor, in positions."""

Kernel = Annotated[Size, AfterValidator(_odd)]
"""The side of a convolution's kernel, in positions; odd."""

Flag = Annotated[bool, Field(strict=True)]
"""true or false, and nothing that looks like it."""

Real = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]
"""A real number, or an expression."""

Widths = Annotated[tuple[Channels, ...], AS_LIST, Field(max_length=64)]
"""Channels of the hidden layers of a small network, in order; may be a param that is a list."""
