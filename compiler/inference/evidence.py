"""How each field of an inferred spec is known, and by which tensor.

proven    a shape, or the keys that are there, say it
derived   it follows: from a param that was solved, from how channels flow, from several tensors together
assumed   no weight tells it; it is the family's, or a documented default
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from codecspec.compiler.inference.equations import Solved
from codecspec.compiler.plan import join
from codecspec.compiler.read_model import ModelReading
from codecspec.compiler.reading import Place, Reading, Row, Seen, Told
from codecspec.schema.channel_groups import MeanScaleContextSpec
from codecspec.schema.fields import SpecModel
from codecspec.schema.model import ModelSpec
from codecspec.schema.support import Support

Status = Literal["proven", "derived", "assumed"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """How a field is known.

    Args:
        status: `proven`, `derived` or `assumed`.
        value: the field's value, as plain data.
        key: the tensor that says so, under the file's own key; empty where it is not one tensor.
        shape: its shape in the canonical layout.
        alternatives: other values that the same tensors allow, in words.
    """

    status: Status
    value: Any
    key: str = ""
    shape: tuple[int, ...] = ()
    alternatives: tuple[str, ...] = ()

    def __str__(self) -> str:
        by = f" by {self.key} {list(self.shape)}" if self.key else ""
        other = f"; the same tensors allow: {', '.join(self.alternatives)}" if self.alternatives else ""
        return f"{_shown(self.value)}, {self.status}{by}{other}"


def evidence_of(spec: ModelSpec, reading: ModelReading, solved: Mapping[str, Solved]) -> dict[str, Evidence]:
    """The evidence for every field of a canonical spec, by its path in the spec; for params, `params.NAME`.

    Args:
        spec: the spec, whose plan has exactly the tensors that were read.
        reading: what they tell.
        solved: the params that tensors tell, for a spec of a family.
    """
    found = dict(_params(spec, solved))
    first = reading.g_a.places[0] if isinstance(reading.g_a, Row) and reading.g_a.places else ()
    by = first[0].first if isinstance(first, tuple) and first else None
    found["in_channels"] = _evidence("proven", spec.in_channels, by)
    for name in ("g_a", "latent_codec", "g_s"):
        found |= dict(_part(name, getattr(spec, name), getattr(reading, name)))
    if spec.aux is not None and isinstance(reading.aux, Reading):
        found |= dict(_fields("aux.cca", spec.aux.cca, reading.aux.parts["inner"]))
    return found


def _params(spec: ModelSpec, solved: Mapping[str, Solved]) -> Iterator[tuple[str, Evidence]]:
    for name, value in spec.params.items():
        told = solved.get(name)
        known = told is not None and told.value == value
        yield f"params.{name}", _evidence("derived" if known else "assumed", value, told.by if told and known else None)


def _part(path: str, said: Any, part: Any) -> Iterator[tuple[str, Evidence]]:
    """A part of a spec, of any form."""
    if isinstance(part, Row):
        for i, block in enumerate(said):
            yield from _block(join(path, str(i)), block, part.places[i] if i < len(part.places) else ())
    elif isinstance(part, Reading) and isinstance(said, SpecModel):
        yield join(path, "type"), _evidence("proven", part.tag, part.first)
        yield from _fields(path, said, part)


def _block(path: str, said: SpecModel, place: Place) -> Iterator[tuple[str, Evidence]]:
    tag: str = said.type  # type: ignore[attr-defined]  # every block's spec has one
    readings = place if isinstance(place, tuple) else ()
    reading = next((each for each in readings if each.tag == tag), None)
    if reading is None:
        yield join(path, "type"), Evidence("assumed", tag, alternatives=("any layer without tensors",))
        yield from _assumed(path, said)
        return
    others = tuple(dict.fromkeys(each.tag for each in readings if each.tag != tag))
    status: Status = "assumed" if others else "proven"
    yield join(path, "type"), _evidence(status, tag, reading.first, others)
    yield from _fields(path, said, reading)


def _fields(path: str, said: SpecModel, reading: Reading) -> Iterator[tuple[str, Evidence]]:
    """Every field of a node but its type."""
    for name in type(said).model_fields:
        value, at = getattr(said, name), join(path, name)
        if name == "type":
            continue
        if name == "leaf":
            yield from _leaves(at, value, reading.parts["leaf"])
        elif name in reading.parts:
            yield from _part(at, value, reading.parts[name])
        elif name == "support":
            yield from _support(at, value, reading)
        elif name in reading.told:
            yield at, _told(value, reading.told[name])
        elif name == "emit_mean_support" and isinstance(said, MeanScaleContextSpec):
            yield at, _emitted(said)
        elif isinstance(value, SpecModel):
            if "type" in type(value).model_fields:
                yield join(at, "type"), Evidence("assumed", value.type)  # type: ignore[attr-defined]
            yield from _assumed(at, value)
        else:
            yield at, Evidence("assumed", _plain(value))


def _told(value: Any, told: Told) -> Evidence:
    status: Status = "derived" if told.derived else "proven"
    return _evidence(status, value, told.by, tuple(map(_shown, told.alternatives)))


def _emitted(said: MeanScaleContextSpec) -> Evidence:
    """Before or after a transform, the mean support has as many channels."""
    choices = {"pre", "post"} - {said.emit_mean_support} if said.transform is not None else set()
    other = tuple(sorted(choices)) if said.emit_mean_support != "none" else ()
    return Evidence("assumed", said.emit_mean_support, alternatives=other)


def _support(path: str, value: Support, reading: Reading) -> Iterator[tuple[str, Evidence]]:
    """Which slices are seen may follow from their widths; in what order they are concatenated never does."""
    told = reading.told["support"]
    groups = reading.told["groups"].value
    options = [told.value, *told.alternatives]
    mine = value.indices(len(groups))
    other = tuple(_shown(option) for option in options if option.indices(len(groups)) != mine)
    written = () if told.derived or other else ("other slices of the same widths, as `slices: [...]`",)
    yield path, Evidence("derived" if told.derived else "assumed", _plain(value), alternatives=(*other, *written))
    if any(len(seen) > 1 for seen in mine):
        yield join(path, "order"), Evidence("assumed", "that of decoding")


def _leaves(path: str, said: Sequence[Any], leaves: Sequence[Any]) -> Iterator[tuple[str, Evidence]]:
    """Runs of leaves, against the leaf of every slice."""
    k = 0
    for i, leaf in enumerate(said):
        count = leaf.count if leaf.count is not None else len(leaves) - k
        at = join(path, str(i))
        yield from ((each, e) for each, e in _part(at, leaf, leaves[k]) if each != join(at, "count"))
        if leaf.count is not None:
            yield join(at, "count"), Evidence("derived", count)
        k += count


def _assumed(path: str, said: SpecModel) -> Iterator[tuple[str, Evidence]]:
    """Every field of a node that no tensor tells anything of."""
    for name in type(said).model_fields:
        if name != "type":
            yield join(path, name), Evidence("assumed", _plain(getattr(said, name)))


def _evidence(status: Status, value: Any, by: Seen | None, alternatives: tuple[str, ...] = ()) -> Evidence:
    return Evidence(status, _plain(value), by.key if by else "", by.shape if by else (), alternatives)


def _plain(value: Any) -> Any:
    if isinstance(value, SpecModel):
        return value.model_dump(mode="json", exclude_defaults=True)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _shown(value: Any) -> str:
    plain = _plain(value)
    if isinstance(plain, dict):
        return ", ".join(f"{name}: {item}" for name, item in plain.items()) or "all"
    return str(plain)
