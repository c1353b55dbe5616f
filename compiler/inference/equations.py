"""What a family's expressions must come to, and the params that make them.

A family says `out: 2*N`, a checkpoint says 128: N is 64. A param is solved where it stands alone and affinely
(`a*N + b`), as an item of a list (`depths[0]`), as the length of one (`len(widths)`) or as a list by its name. Every
other site is left for the proof: the spec with these params is lowered, and compared with all tensors.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from codecspec.compiler.reading import Seen
from codecspec.schema.channel_groups import ProportionalGroups, group_widths
from codecspec.schema.expressions import ExpressionError, Value, evaluate

_PROBES = (1, 2, 3, 7, 64)
_UNKNOWN = "unknown_"


@dataclass(frozen=True, slots=True)
class Equation:
    """A field of a family, and what a checkpoint says of it.

    Args:
        path: the field's path in the spec, with dots.
        written: what the family says: a number, a list, or an expression.
        value: what the checkpoint says.
        by: the tensor that says so.
        bindings: the indexes of the repeats around the field.
        at_least: the value is a lower bound.
        proportions: the value is a list of widths, and the family says proportions.
    """

    path: str
    written: Any
    value: Any
    by: Seen | None = None
    bindings: Mapping[str, int] = field(default_factory=dict)
    at_least: bool = False
    proportions: bool = False


@dataclass(frozen=True, slots=True)
class Solved:
    """A param's value, and the tensor that told it."""

    value: Any
    by: Seen | None


@dataclass(frozen=True, slots=True)
class _Atom:
    """A param, an item of it, or its length, in an expression."""

    name: str
    item: int | None = None
    length: bool = False


class ParamSolver:
    """Solves a family's params, equation by equation, as long as there is progress.

    Args:
        defaults: the params of the family and their values.
    """

    def __init__(self, defaults: Mapping[str, Any]) -> None:
        self._defaults = {name: list(v) if isinstance(v, tuple) else v for name, v in defaults.items()}
        self._known: dict[_Atom, Solved] = {}
        self.failed: list[Equation] = []

    def solve(self, equations: Iterable[Equation]) -> dict[str, Solved]:
        """The params that the equations say; `failed` then holds the equations that cannot be."""
        pending = [each for equation in equations for each in self._itemwise(equation)]
        bounds = [equation for equation in pending if equation.at_least]
        pending = [equation for equation in pending if not equation.at_least]
        while True:
            left = [equation for equation in pending if not self._take(equation)]
            if len(left) == len(pending):
                break
            pending = left
        for bound in bounds:
            self._take_bound(bound)
        return self._params()

    def _itemwise(self, equation: Equation) -> list[Equation]:
        """An equation of lists as one per item."""
        written, value = equation.written, equation.value
        if not isinstance(value, tuple):
            return [equation]
        if isinstance(written, str):
            default = self._defaults.get(written)
            if not isinstance(default, list):
                return []
            value = simplest_proportions(value, default) if equation.proportions else value
            self._note(_Atom(written, length=True), len(value), equation)
            items: list[Any] = [f"{written}[{i}]" for i in range(len(value))]
        elif isinstance(written, (list, tuple)) and len(written) == len(value):
            items = list(written)
        else:
            self.failed.append(equation)
            return []
        rest = (equation.by, equation.bindings)
        return [Equation(f"{equation.path}.{i}", items[i], value[i], *rest) for i in range(len(value))]

    def _take(self, equation: Equation) -> bool:
        """Use an equation; False where it has more than one unknown yet."""
        if not isinstance(equation.written, str):
            if equation.written != equation.value:
                self.failed.append(equation)
            return True
        try:
            text, atoms = _Known(self._known, self._defaults, equation.bindings).rewrite(equation.written)
            if len(atoms) > 1:
                return False
            if not atoms:
                if evaluate(text, {}) != equation.value:
                    self.failed.append(equation)
                return True
            solution = _affine(text, equation.value)
        except ExpressionError:
            return False
        if solution is None:
            return False
        self._note(atoms[0], solution, equation)
        return True

    def _take_bound(self, equation: Equation) -> None:
        """A lower bound is met by the default where that is large enough, and is the value elsewhere."""
        values: dict[str, Value] = {**self._defaults, **{name: solved.value for name, solved in self._params().items()}}
        try:
            if not isinstance(equation.written, str):
                met = equation.written is None or equation.written >= equation.value
            else:
                met = evaluate(equation.written, {**values, **equation.bindings}) >= equation.value
        except ExpressionError:
            return
        if not met and not self._take(equation):
            self.failed.append(equation)

    def _note(self, atom: _Atom, value: Any, equation: Equation) -> None:
        known = self._known.setdefault(atom, Solved(value, equation.by))
        if known.value != value:
            self.failed.append(equation)

    def _params(self) -> dict[str, Solved]:
        """Whole params out of what is known of them; items that nothing tells are the default's."""
        params: dict[str, Solved] = {}
        for name, default in self._defaults.items():
            plain = self._known.get(_Atom(name))
            if plain is not None:
                params[name] = plain
            elif isinstance(default, list):
                items = {a.item: s for a, s in self._known.items() if a.name == name and a.item is not None}
                length = self._known.get(_Atom(name, length=True))
                count = length.value if length else len(default)
                whole = [items[i].value if i in items else default[i] for i in range(min(count, len(default)))]
                whole += [items[i].value for i in range(len(default), count) if i in items]
                if (items or length) and len(whole) == count:
                    by = next((solved.by for solved in items.values()), length.by if length else None)
                    params[name] = Solved(tuple(whole), by)
        return params


class _Known(ast.NodeTransformer):
    """Puts numbers in place of what is known in an expression, and a name of its own in place of what is not."""

    def __init__(self, known: Mapping[_Atom, Solved], params: Mapping[str, Any], bindings: Mapping[str, int]) -> None:
        self._known = known
        self._params = params
        self._bindings = bindings
        self._atoms: dict[_Atom, str] = {}

    def rewrite(self, text: str) -> tuple[str, list[_Atom]]:
        """The expression without names of params, and what is unknown in it.

        Raises:
            ExpressionError: it uses a list as a whole, or what is no item of one.
        """
        tree = self.visit(ast.parse(text.strip(), mode="eval"))
        return ast.unparse(tree), list(self._atoms)

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self._bindings:
            return ast.Constant(self._bindings[node.id])
        if isinstance(self._params.get(node.id), list):
            raise ExpressionError(f"{node.id} as a whole")
        return self._atom(_Atom(node.id))

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        if not isinstance(node.value, ast.Name):
            raise ExpressionError("an item of what is no param")
        index = evaluate(ast.unparse(self.visit(node.slice)), {})
        if not isinstance(index, int):
            raise ExpressionError("an index that is no integer")
        if index < 0:
            length = self._known.get(_Atom(node.value.id, length=True))
            index += length.value if length else len(self._params[node.value.id])
        return self._atom(_Atom(node.value.id, item=index))

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if isinstance(node.func, ast.Name) and node.func.id == "len" and isinstance(node.args[0], ast.Name):
            return self._atom(_Atom(node.args[0].id, length=True))
        node.args = [self.visit(arg) for arg in node.args]
        return node

    def _atom(self, atom: _Atom) -> ast.expr:
        if atom in self._known:
            return ast.Constant(self._known[atom].value)
        return ast.Name(self._atoms.setdefault(atom, f"{_UNKNOWN}{len(self._atoms)}"))


def simplest_proportions(widths: tuple[int, ...], default: Sequence[float]) -> tuple[float, ...]:
    """Proportions that come to `widths`: the default if it does, else a number of equal slices, else their ratio."""
    channels = sum(widths)
    equal = (len(widths),) if len(set(widths)) == 1 else ()
    divisor = math.gcd(*widths)
    for proportions in (tuple(default), equal, tuple(width // divisor for width in widths)):
        try:
            if proportions and group_widths(ProportionalGroups(proportions=proportions), channels) == widths:
                return proportions
        except ValueError:
            continue
    return widths


def _affine(text: str, value: Any) -> int | None:
    """The integer that makes an expression in one unknown, if it is affine in it, come to `value`."""
    found = [evaluate(text, {f"{_UNKNOWN}0": probe}) for probe in _PROBES]
    if not all(isinstance(each, int) for each in found) or not isinstance(value, int):
        return None
    factor = found[1] - found[0]  # type: ignore[operator]
    offset = found[0] - factor  # type: ignore[operator]
    on_a_line = all(each == factor * probe + offset for probe, each in zip(_PROBES, found, strict=True))
    if not on_a_line or factor == 0 or (value - offset) % factor:
        return None
    return int((value - offset) // factor)
