"""Numbers as expressions over params: `2*N`, `M // slices`, `depths[-1]`, `(i % 2) * 4`.

Names, integers, `+ - * // %`, indexing, `min`, `max`, `sum`, `len` and parentheses; nothing else, and nothing large:
the text, the depth and every value on the way are bounded, so an expression costs microseconds whoever wrote it.
"""

from __future__ import annotations

import ast
import keyword
import operator
import warnings
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from codecspec.schema.errors import ErrorCode, listed, nearest, shown

MAX_LENGTH = 200
MAX_VALUE = 2**31

Number = int | float
Value = Number | list[Any]

_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
FUNCTIONS: dict[str, Callable[..., Any]] = {"min": min, "max": max, "sum": sum, "len": len}
"""What an expression may call."""
_ALLOWED = "names of params, integers, + - * // %, [index], min, max, sum, len, parentheses"


def check_name(name: str) -> None:
    """A name of a param or an index is one that expressions can spell.

    Raises:
        ExpressionError: it is not.
    """
    if not (name.isidentifier() and name.isascii()) or name in FUNCTIONS or keyword.iskeyword(name):
        hint = "letters, digits and _, neither the name of a function nor a word of Python"
        raise ExpressionError(f"{shown(name)} cannot be a name in expressions", hint, "E-value")


class ExpressionError(ValueError):
    """An expression that says nothing, or too much."""

    def __init__(self, message: str, hint: str = "", code: ErrorCode = "E-expression") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code: ErrorCode = code


def evaluate(text: str, names: Mapping[str, Value], used: set[str] | None = None) -> Value:
    """The value of an expression.

    Args:
        text: the expression.
        names: what its names stand for: numbers, or lists of them.
        used: the names that the expression uses are added to it.

    Raises:
        ExpressionError: it is not an expression of the language, names something unknown, divides by zero, indexes
            past an end, or grows past `MAX_VALUE`.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"an expression has at most {MAX_LENGTH} characters, found {len(text)}")
    try:
        return _Evaluator(text, names, used if used is not None else set()).visit(_parse(text.strip()).body)
    except ExpressionError:
        raise
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ExpressionError(f"{shown(text)} is not an expression", f"allowed: {_ALLOWED}") from None


@lru_cache(maxsize=1024)
def _parse(text: str) -> ast.Expression:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python warns of `1if`, which is refused here anyway
        return ast.parse(text, mode="eval")


class _Evaluator:
    def __init__(self, text: str, names: Mapping[str, Value], used: set[str]) -> None:
        self.text = text
        self.names = names
        self.used = used

    def visit(self, node: ast.expr) -> Value:
        match node:
            case ast.Constant(value=int() as value) if not isinstance(value, bool):
                return self._bounded(value)
            case ast.Name(id=name):
                return self._name(name)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self._number(operand)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                return self._binary(_OPERATORS[type(op)], self._number(left), self._number(right))
            case ast.Subscript(value=value, slice=index):
                return self._item(self.visit(value), self._number(index))
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
                return self._call(name, [self.visit(arg) for arg in args])
        part = ast.unparse(node)
        raise ExpressionError(f"{shown(part)} is not allowed in an expression", f"allowed: {_ALLOWED}")

    def _name(self, name: str) -> Value:
        if name not in self.names:
            known = sorted(self.names)
            where = "" if name == self.text else f" in {shown(self.text)}"
            message = f"'{name}'{where} names no param; params: {listed(known)}"
            raise ExpressionError(message, nearest(name, known), "E-unknown-param")
        self.used.add(name)
        return self.names[name]

    def _number(self, node: ast.expr) -> Number:
        value = self.visit(node)
        if isinstance(value, list):
            message = f"a list stands where {shown(self.text)} needs a number"
            raise ExpressionError(message, "take an item of it, as in depths[0]")
        return value

    def _binary(self, function: Callable[[Any, Any], Any], left: Number, right: Number) -> Number:
        try:
            return self._bounded(function(left, right))
        except ZeroDivisionError:
            raise ExpressionError(f"{shown(self.text)} divides by zero") from None

    def _bounded(self, value: Number) -> Number:
        if not -MAX_VALUE <= value <= MAX_VALUE:
            raise ExpressionError(f"{shown(self.text)} grows past {MAX_VALUE}, the largest number in an expression")
        return value

    def _item(self, value: Value, index: Number) -> Value:
        if not isinstance(value, list):
            raise ExpressionError(f"{shown(self.text)} takes an item of a number; only lists have items")
        if not isinstance(index, int) or not -len(value) <= index < len(value):
            message = f"{shown(self.text)} takes item {index} of a list of {len(value)}"
            raise ExpressionError(message, "items are counted from 0, or from -1 backwards")
        item: Value = value[index]
        return item

    def _call(self, name: str, args: list[Value]) -> Value:
        wants_list = name in ("len", "sum")
        ok = len(args) == 1 and isinstance(args[0], list) if wants_list else bool(args)
        flat = args[0] if len(args) == 1 and isinstance(args[0], list) else args
        if not ok or (not flat and not wants_list) or any(isinstance(item, list) for item in flat):
            needs = "one list" if wants_list else "numbers or one list, not empty"
            raise ExpressionError(f"{name}() in {shown(self.text)} takes {needs}")
        result = FUNCTIONS[name](flat)
        return self._bounded(result)
