"""What is said of a checkpoint that no spec has exactly the tensors of: what was understood, what was not, what is
nearest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from codecspec.compiler.canonical_tensors import CanonicalTensors, TensorLike, in_layouts
from codecspec.compiler.inference.families import Fit, families, fit
from codecspec.compiler.read_model import ModelReading, read_model
from codecspec.compiler.reading import Reading, Row, Unread
from codecspec.schema.errors import CheckpointError, Problem, listed

MAX_NAMED = 6
"""Keys that are named of each sort."""
MAX_LAYOUTS = 3
"""Layouts whose families are compared, those that take most keys."""


@dataclass(frozen=True, slots=True)
class _Near:
    """A family at its best params, in one layout."""

    fit: Fit
    tensors: CanonicalTensors


def misfit(infos: Mapping[str, TensorLike], source: str) -> CheckpointError:
    """The error that says why there is no spec: the first keys that nothing knows, how far the rest was understood, and
    what the nearest family has that the checkpoint has not, and the reverse."""
    views = sorted(in_layouts(infos, whole=False), key=_num_strange)[:MAX_LAYOUTS]
    readings = [read_model(view.tensors) for view in views]
    near = _nearest(views, readings)
    best = next((i for i, view in enumerate(views) if near and view is near.tensors), 0)
    problems = [_first_words(views[best], readings[best], source)]
    if near is not None:
        problems += _differences(near, source)
    return CheckpointError.collect(problems)


def _num_strange(view: CanonicalTensors) -> int:
    if view.layout is None:
        return len(read_model(view.tensors).strange)
    return len(view.keymap.unknown) + len(view.problems)


def _nearest(views: Sequence[CanonicalTensors], readings: Sequence[ModelReading]) -> _Near | None:
    found: list[_Near] = []
    for view, reading in zip(views, readings, strict=True):
        for family in families(view.layout):
            fitted = fit(family, reading, view, near=True)
            if fitted.plan is not None:
                found.append(_Near(fitted, view))
    return min(found, key=lambda near: len(near.fit.problems), default=None)


def _first_words(view: CanonicalTensors, reading: ModelReading, source: str) -> Problem:
    """What was understood, and the first keys that were not."""
    unknown = [*view.keymap.unknown, *(each.first.key for each in reading.unread if each.first is not None)]
    whole = _understood(reading)
    message = "no spec has exactly these tensors"
    message += f"; understood: {listed(whole)}" if whole else "; no part of it is understood"
    hint = "every layer by itself is understood, and they do not fit together"
    hint = f"not understood: {listed(_some(unknown))}" if unknown else hint
    return Problem("E-infer", source, message, hint)


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
            said += [name if all_of_it else f"{name}.0 to {name}.{read - 1}"] if read else []
        elif isinstance(part, Reading) and not any(_holes(part)):
            said.append(f"{name} ({part.tag})")
    return said


def _holes(part: object) -> list[Unread]:
    """What is not understood below a part."""
    if isinstance(part, Unread):
        return [part]
    inner = part if isinstance(part, tuple) else tuple(part.parts.values()) if isinstance(part, Reading) else ()
    return part.unread if isinstance(part, Row) else [hole for each in inner for hole in _holes(each)]


def _differences(near: _Near, source: str) -> list[Problem]:
    params = ", ".join(f"{name}={value}" for name, value in near.fit.overrides.items())
    name = f"{near.fit.family.name} ({params})" if params else near.fit.family.name
    layout = f", in the layout {near.tensors.name}"
    message = f"the nearest family is {name}{layout}: {len(near.fit.problems)} tensors differ"
    first = Problem("E-infer", source, message, "; ".join(_some(near.fit.differences)))
    return [first, *(Problem("E-infer", each.where, each.message) for each in near.fit.problems[:MAX_NAMED])]


def _some(names: Sequence[str]) -> list[str]:
    more = len(names) - MAX_NAMED
    return [*names[:MAX_NAMED], *([f"and {more} more"] if more > 0 else [])]
