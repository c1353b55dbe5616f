"""A family against a reading: what both say of each field, as equations.

The family is walked as it is written, before its params are in place; the reading as its tensors tell it. A `repeat` of
a family takes as many blocks of a row as make the rest of the row fit, and its count is one more equation. What the
reading does not know says nothing; where the two cannot be the same, that is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from codecspec.compiler.inference.equations import Equation
from codecspec.compiler.kind import Activation
from codecspec.compiler.kinds import KINDS
from codecspec.compiler.plan import join
from codecspec.compiler.read_model import ModelReading
from codecspec.compiler.reading import Place, Reading, Row, Told, Unread
from codecspec.schema.expressions import ExpressionError, evaluate
from codecspec.schema.model import ModelSpec
from codecspec.schema.support import Support

MAX_BLOCKS = 400
"""Blocks of a row that are matched with a family's."""

_Bindings = Mapping[str, int]


@dataclass(slots=True)
class Unification:
    """What a family and a reading say of each other.

    Args:
        equations: what the family's expressions must come to.
        differences: where the two cannot be the same, in words.
    """

    equations: list[Equation] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)


def unify(written: Mapping[str, Any], reading: ModelReading) -> Unification:
    """A family, as written and with all that it extends, against what a checkpoint tells."""
    found = Unification()
    if reading.in_channels is not None:
        default = ModelSpec.model_fields["in_channels"].default
        found.equations.append(Equation("in_channels", written.get("in_channels", default), reading.in_channels))
    for name, part in (("g_a", reading.g_a), ("g_s", reading.g_s), ("latent_codec", reading.latent_codec)):
        _part(name, written.get(name), part, {}, found)
    aux = written.get("aux")
    if (aux is None) != (reading.aux is None):
        found.differences.append("aux: one has an auxiliary branch, and the other has not")
    elif isinstance(aux, Mapping) and isinstance(reading.aux, Reading):
        _fields("aux.cca", aux["cca"], reading.aux.parts["inner"], {}, found, without=("groups", "side_in_context"))
    return found


def _part(path: str, written: Any, part: Any, bindings: _Bindings, found: Unification) -> None:
    """One part of a spec, of any form."""
    if isinstance(part, Row):
        _row(path, written, part, bindings, found)
    elif isinstance(part, tuple):
        _leaves(path, written, part, bindings, found)
    elif isinstance(part, Reading):
        if not isinstance(written, Mapping) or written.get("type") != part.tag:
            said = written.get("type") if isinstance(written, Mapping) else "another form"
            found.differences.append(f"{path}: {part.tag} here, {said} in the family")
        else:
            _fields(path, written, part, bindings, found)


def _fields(
    path: str,
    written: Mapping[str, Any],
    reading: Reading,
    bindings: _Bindings,
    found: Unification,
    without: tuple[str, ...] = (),
) -> None:
    """Every field of a node that its tensors tell, and every part of it."""
    fields = KINDS[reading.tag].spec_type.model_fields
    for name, told in reading.told.items():
        if name in without:
            continue
        said = written[name] if name in written else fields[name].default
        at = join(path, name)
        if name == "support":
            _support(at, said, told, len(reading.parts["leaf"]), found)
        elif name == "groups":
            _groups(at, said, told, found)
        elif name == "transform" or isinstance(told.value, bool):
            if said != told.value:
                found.differences.append(f"{at}: not the same")
        elif name == "chunks" or isinstance(said, Mapping):
            continue  # an order that only the family can say, or a ramp: the proof compares what it comes to
        else:
            found.equations.append(_equation(at, said, told, bindings))
    for name, part in reading.parts.items():
        _part(join(path, name), written.get(name), part, bindings, found)


def _equation(path: str, written: Any, told: Told, bindings: _Bindings) -> Equation:
    return Equation(path, written, told.value, told.by, bindings)


def _support(path: str, written: Any, told: Told, num_slices: int, found: Unification) -> None:
    """The family's filter among those that the tensors allow; `all` is any clamp that clamps nothing."""
    said = written if isinstance(written, Mapping) else {}
    name, clamp = said.get("filter", "all"), said.get("max")
    options: tuple[Support, ...] = (told.value, *told.alternatives)
    if "slices" in said:
        return  # the proof compares what they come to
    if clamp is None:
        if Support(filter=name).canonical(num_slices) not in options:
            found.differences.append(f"{path}: other slices than `filter: {name}`")
        return
    clamped = next((option for option in options if option.filter == name and option.max is not None), None)
    if clamped is not None:
        found.equations.append(Equation(join(path, "max"), clamp, clamped.max, told.by))
    elif Support(filter="all") in options:
        found.equations.append(Equation(join(path, "max"), clamp, num_slices - 1, told.by, at_least=True))
    else:
        found.differences.append(f"{path}: other slices than `filter: {name}`")


def _groups(path: str, written: Any, told: Told, found: Unification) -> None:
    """The widths of the slices, in whatever form the family says them."""
    widths: tuple[int, ...] = told.value
    if not isinstance(written, Mapping):
        found.equations.append(Equation(path, written, widths, told.by))
    elif "equal" in written:
        if len(set(widths)) > 1:
            found.differences.append(f"{path}: widths {list(widths)} here, equal ones in the family")
        found.equations.append(Equation(join(path, "equal"), written["equal"], len(widths), told.by))
    else:
        found.equations.append(
            Equation(join(path, "proportions"), written["proportions"], widths, told.by, proportions=True)
        )


def _leaves(path: str, written: Any, leaves: Sequence[Any], bindings: _Bindings, found: Unification) -> None:
    """The family's leaves, each with its count, against the leaf of every slice."""
    entries = list(written) if isinstance(written, (list, tuple)) else [written]
    k = 0
    for i, entry in enumerate(entries):
        at = join(path, str(i))
        last = i == len(entries) - 1
        run = len(leaves) - k if last else _run(leaves[k:], entry["type"])
        if entry.get("count") is not None:
            found.equations.append(Equation(join(at, "count"), entry["count"], run, None, bindings))
        for leaf in leaves[k : k + run][:1]:
            _part(at, entry, leaf, bindings, found)
        k += run
    if k < len(leaves):
        found.differences.append(f"{path}: leaves that the family has not")


def _run(leaves: Sequence[Any], tag: str) -> int:
    """How many leaves from the first on are of kind `tag`."""
    other = next((k for k, leaf in enumerate(leaves) if isinstance(leaf, Reading) and leaf.tag != tag), None)
    return len(leaves) if other is None else other


def _row(path: str, written: Any, row: Row, bindings: _Bindings, found: Unification) -> None:
    if not isinstance(written, (list, tuple)) or len(row.places) > MAX_BLOCKS:
        found.differences.append(f"{path}: a row of {len(row.places)} blocks, and another form in the family")
        return
    matched = next(_matches(path, _elements(written, bindings), row.places, 0), None)
    if matched is None:
        found.differences.append(f"{path}: other blocks than the family's")
    else:
        found.equations += matched


@dataclass(frozen=True, slots=True)
class _Element:
    """A block of a family or a repeat of some, and the indexes of the repeats around it."""

    written: Mapping[str, Any]
    bindings: _Bindings


def _elements(written: Sequence[Any], bindings: _Bindings) -> tuple[_Element, ...]:
    return tuple(_Element(block, bindings) for block in written)


def _matches(path: str, elements: tuple[_Element, ...], places: Sequence[Place], j: int) -> Iterator[list[Equation]]:
    """The ways in which elements can be the places from the j-th on, as the equations that each asks for."""
    if not elements:
        if not any(places[j:]):
            yield []
        return
    head, rest = elements[0], elements[1:]
    if list(head.written) == ["repeat"]:
        yield from _repeats(path, head, rest, places, j)
        return
    own = _block(join(path, str(j)), head, places[j] if j < len(places) else ())
    if own is not None:
        for tail in _matches(path, rest, places, j + 1):
            yield own + tail


def _repeats(
    path: str, head: _Element, rest: tuple[_Element, ...], places: Sequence[Place], j: int
) -> Iterator[list[Equation]]:
    repeat = head.written["repeat"]
    index, body = repeat.get("index"), repeat["blocks"]
    for count in _counts(repeat["count"], head.bindings, (len(places) - j) // max(1, len(body))):
        inner = [{**head.bindings, index: i} if index else head.bindings for i in range(count)]
        unrolled = tuple(element for bindings in inner for element in _elements(body, bindings))
        said = Equation(f"{path}.{j}.repeat.count", repeat["count"], count, _first_seen(places[j:]), head.bindings)
        for tail in _matches(path, unrolled + rest, places, j):
            yield [said, *tail]


def _counts(written: Any, bindings: _Bindings, most: int) -> Sequence[int]:
    """The counts that a repeat may have: what it says, or with params in it any, the largest first."""
    if isinstance(written, int):
        return [written]
    try:
        fixed = evaluate(str(written), dict(bindings))
    except ExpressionError:
        return range(most, -1, -1)
    return [fixed] if isinstance(fixed, int) else []


def _block(path: str, element: _Element, place: Place) -> list[Equation] | None:
    """What a block of a family asks for to be what stands at a place; None where it cannot be."""
    if isinstance(place, Unread):
        return []
    tag = element.written.get("type")
    if not place:
        return [] if isinstance(KINDS.get(str(tag)), Activation) else None
    reading = next((each for each in place if each.tag == tag), None)
    if reading is None:
        return None
    found = Unification()
    _fields(path, element.written, reading, element.bindings, found)
    return None if found.differences else found.equations


def _first_seen(places: Sequence[Place]) -> Any:
    """A tensor of the first of these places."""
    for place in places:
        for reading in place if isinstance(place, tuple) else ():
            for told in reading.told.values():
                if told.by is not None:
                    return told.by
    return None
