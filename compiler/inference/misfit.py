"""What is said of a checkpoint that no spec has exactly the tensors of: what was understood, what was not, what is
nearest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from codecspec.compiler.canonical_tensors import CanonicalTensors, TensorLike, in_layouts
from codecspec.compiler.checkpoints.damaged import printable
from codecspec.compiler.inference.families import Fit, families, fit
from codecspec.compiler.inference.lift import lift, lift_understood
from codecspec.compiler.lower import lower
from codecspec.compiler.read_model import ModelReading, is_strange, read_model
from codecspec.compiler.reading import Reading, Row, Unread
from codecspec.schema.errors import CheckpointError, Problem, SchemaError, listed
from codecspec.schema.load import load_spec

if TYPE_CHECKING:
    from codecspec.compiler.inference.infer import Inference

MAX_NAMED = 6
"""Keys that are named of each sort."""
MAX_LAYOUTS = 3
"""Layouts whose families are compared, those that take most keys."""
MAX_COMPARED = 10_000
"""Tensors up to which layouts and families are compared; the zoo's have some thousands at most."""
MIN_LIKENESS = 0.4
"""The share of tensors in common from which on a family is near."""


@dataclass(frozen=True, slots=True)
class _Near:
    """A family at its best params, in one layout."""

    fit: Fit
    tensors: CanonicalTensors

    @property
    def missing(self) -> set[str]:
        """The family's keys that are not in the checkpoint."""
        return set(self.fit.plan.manifest() if self.fit.plan else ()) - self.tensors.tensors.keys()

    @property
    def likeness(self) -> float:
        """The share of the tensors of both that are the same."""
        planned = self.fit.plan.manifest() if self.fit.plan else {}
        same = sum(key in planned for key in self.tensors.tensors)
        return same / (same + len(self.fit.problems))


class MisfitError(CheckpointError):
    """No spec has exactly the tensors of a checkpoint.

    `understood` is what was, as the parts of a spec without strides, which are told by how all parts fit.
    """

    understood: Mapping[str, Any] = MappingProxyType({})


def misfit(infos: Mapping[str, TensorLike], source: str, inside: Mapping[str, Inference]) -> MisfitError:
    """The error that says why there is no spec: what there is under beginnings of keys, or else the first keys that
    nothing knows, how far the rest was understood, and what the nearest family has that the checkpoint has not, and the
    reverse.

    Args:
        infos: the tensors.
        source: where they are, for messages.
        inside: beginnings of keys under which alone there is a codec, and that.
    """
    if inside:
        return MisfitError.collect(_inside(start, found, len(infos), source) for start, found in inside.items())
    large = len(infos) > MAX_COMPARED
    views = sorted(islice(in_layouts(infos, whole=False), 1 if large else None), key=_num_strange)[:MAX_LAYOUTS]
    readings = [read_model(view.tensors) for view in views]
    near = None if large else _nearest(views, readings)
    best = next((i for i, view in enumerate(views) if near and view is near.tensors), 0)
    problems = [_first_words(views[best], readings[best], source)]
    if near is not None:
        problems += _differences(near, source)
    error = MisfitError.collect(problems)
    error.understood = lift_understood(readings[best])
    return error


def _inside(start: str, found: Inference, number: int, source: str) -> Problem:
    """What there is to say of a codec under a beginning of keys."""
    what = f"{found.family}'s" if found.family else "a codec's"
    part = f"the {len(found.manifest)} of {number} under '{printable(start)}.'"
    message = f"no spec has exactly these tensors; {part} are {what}"
    return Problem("E-infer", source, message, f"--key {printable(start)}, or key=... in Python, takes only these")


def _num_strange(view: CanonicalTensors) -> int:
    if view.layout is None:
        return sum(map(is_strange, view.tensors))
    return len(view.keymap.unknown) + len(view.problems)


def _nearest(views: Sequence[CanonicalTensors], readings: Sequence[ModelReading]) -> _Near | None:
    found: list[_Near] = []
    for view, reading in zip(views, readings, strict=True):
        for family in families(view.layout):
            fitted = fit(family, reading, view, near=True)
            if fitted.plan is not None:
                found.append(_Near(fitted, view))
    nearest = max(found, key=lambda near: near.likeness, default=None)
    return nearest if nearest and nearest.likeness >= MIN_LIKENESS else None


def _first_words(view: CanonicalTensors, reading: ModelReading, source: str) -> Problem:
    """What was understood, and the first keys that were not."""
    unknown = [*view.keymap.unknown, *(problem.where for problem in view.problems)]
    unknown += [each.first.key for each in reading.unread if each.first is not None]
    whole = _understood(reading)
    message = "no spec has exactly these tensors"
    message += f"; understood: {listed(whole)}" if whole else "; no part of it is understood"
    hint = f"not understood: {listed(map(printable, _some(unknown)))}" if unknown else _together(view, reading)
    return Problem("E-infer", source, message, hint)


def _together(view: CanonicalTensors, reading: ModelReading) -> str:
    """Why parts each of which is understood are no spec."""
    empty = [each.path for each in reading.unread]
    empty += [name for name in ("g_a", "g_s") if name not in {key.partition(".")[0] for key in view.tensors}]
    if empty:
        return f"there are no tensors of: {listed(_some(empty))}"
    written = lift(reading)
    if written is None:
        return "which earlier slices each slice sees cannot be told"
    try:
        differences = view.differences(lower(load_spec(written)))
    except SchemaError as error:
        return f"as a spec, it would be wrong at {error.where}: {error.message}"
    return f"every layer by itself is understood; at {differences[0].where} it is {differences[0].message}"


def _understood(reading: ModelReading) -> list[str]:
    """The parts that are understood, each with how much of it is."""
    said: list[str] = []
    parts: list[tuple[str, object]] = [("g_a", reading.g_a), ("g_s", reading.g_s)]
    if isinstance(reading.latent_codec, Reading):
        parts += [(f"latent_codec.{name}", part) for name, part in reading.latent_codec.parts.items()]
    for name, part in parts:
        if isinstance(part, Row):
            read = next((i for i, place in enumerate(part.places) if isinstance(place, Unread)), len(part.places))
            all_of_it = read == len(part.places) and not part.unread
            first = f"{name}.0 to {name}.{read - 1}" if read > 1 else f"{name}.0"
            said += [name if all_of_it else first] if read else []
        elif isinstance(part, Reading) and not part.unread:
            said.append(f"{name} ({part.tag})")
    return said


def _differences(near: _Near, source: str) -> list[Problem]:
    params = ", ".join(f"{name}={value}" for name, value in near.fit.overrides.items())
    name = f"{near.fit.family.name} ({params})" if params else near.fit.family.name
    number = len(near.fit.problems)
    counted = "1 tensor differs" if number == 1 else f"{number} tensors differ"
    message = f"the nearest family is {name}, in the layout {near.tensors.name}: {counted}"
    first = Problem("E-infer", source, message, "; ".join(_some(near.fit.differences)))
    named = _named(near).items()
    return [first, *(Problem("E-infer", printable(where), problem.message) for where, problem in named)]


def _named(near: _Near) -> dict[str, Problem]:
    """The first tensors that differ, under the keys that they have or would have in the checkpoint."""
    named: dict[str, Problem] = {}
    for problem in near.fit.problems:
        where, layout = problem.where, near.tensors.layout
        if layout is not None and where in near.missing:
            where = layout.from_canonical([where]).moves[0].target
        named.setdefault(where, problem)
        if len(named) == MAX_NAMED:
            break
    return named


def _some(names: Sequence[str]) -> list[str]:
    more = len(names) - MAX_NAMED
    return [*names[:MAX_NAMED], *([f"and {more} more"] if more > 0 else [])]
