"""Layouts: the names that one program gives to the tensors of a model, as rules to and from the canonical names.

The rules are data (`specs/layouts/*.yaml`), tried in order; the first whose pattern fits takes the key. Each works in
both directions:

    from: A, to: B                      a rename
    from: A, to: B{k}, for_each: C{k}   one tensor here, one copy for each k there; on the way back they must be equal
    from: A, derived: op, of: B         computed from another tensor: dropped if it is what `op` makes, made on the way
                                        back

Every tensor is accounted for: moved, made, dropped with its reason, or named as unknown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from codecspec import specs
from codecspec.compiler.derived_tensors import DERIVED
from codecspec.compiler.key_patterns import KeyPattern
from codecspec.schema.errors import LayoutError, listed, nearest
from codecspec.schema.yaml_source import read_yaml

CANONICAL = "canonical"


class RuleSpec(BaseModel):
    """One rule as it is written; see the module's docstring."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str = Field(alias="from")
    to: str | None = None
    for_each: str | None = None
    derived: str | None = None
    of: str | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        moves = self.to is not None and self.derived is None and self.of is None
        derives = self.to is None and self.for_each is None and self.derived in DERIVED and self.of is not None
        if not (moves or derives):
            raise ValueError("a rule is `from, to`, `from, to, for_each` or `from, derived, of`")
        return self


class LayoutSpec(BaseModel):
    """A layout file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    layout: str
    families: tuple[str, ...]
    rules: tuple[RuleSpec, ...]


@dataclass(frozen=True, slots=True)
class Move:
    """`target` is what stands under `sources`, which must all be equal."""

    sources: tuple[str, ...]
    target: str


@dataclass(frozen=True, slots=True)
class Derivation:
    """`key` is what the operation `op` makes of the tensor under `of`, a key of the same layout."""

    key: str
    op: str
    of: str


@dataclass(slots=True)
class KeyMap:
    """What becomes of every key of a checkpoint.

    Args:
        moves: target keys, in order, and where their tensors come from.
        dropped: keys that hold nothing that another tensor does not say; to be checked, then left out.
        made: keys of the result that are computed from another of its tensors.
        unknown: keys that no rule takes.
    """

    moves: list[Move] = field(default_factory=list)
    dropped: list[Derivation] = field(default_factory=list)
    made: list[Derivation] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    @property
    def targets(self) -> dict[str, tuple[str, ...]]:
        """Target key -> the keys it comes from."""
        return {move.target: move.sources for move in self.moves}


class Rule:
    """One rule, compiled."""

    def __init__(self, spec: RuleSpec) -> None:
        self.source = KeyPattern(spec.source)
        self.to = KeyPattern(spec.to) if spec.to is not None else None
        self.for_each = KeyPattern(spec.for_each) if spec.for_each is not None else None
        self.derived = spec.derived
        self.of = KeyPattern(spec.of) if spec.of is not None else None
        self.fanned = self.to.fields - self.source.fields if self.to else frozenset()
        wanted = self.for_each.fields if self.for_each else frozenset()
        lost = self.source.fields - self.to.fields if self.to else frozenset()
        if lost or not self.fanned <= wanted or (self.for_each and not self.fanned):
            message = "both sides need the same fields, except those that `for_each` counts"
            raise LayoutError("E-layout", f"{spec.source} -> {spec.to}", message)

    def fan(self, keys: Iterable[str]) -> list[dict[str, int | str]]:
        """The values of the fanned fields: one, empty, for a plain rename."""
        if not self.for_each:
            return [{}]
        found = [fields for key in keys if (fields := self.for_each.match(key)) is not None]
        unique = {tuple(sorted((name, fields[name]) for name in self.fanned)) for fields in found}
        return [dict(item) for item in sorted(unique, key=str)]


class Layout:
    """A layout, ready to map keys to the canonical ones and back."""

    def __init__(self, spec: LayoutSpec, file: str) -> None:
        self.name = spec.layout
        self.families = spec.families
        self.file = file
        self._rules = [Rule(rule) for rule in spec.rules]

    def __repr__(self) -> str:
        return f"Layout({self.file!r})"

    def to_canonical(self, keys: Iterable[str]) -> KeyMap:
        """What becomes of the keys of a checkpoint in this layout."""
        keys = list(keys)
        fans = {id(rule): rule.fan(keys) for rule in self._rules}
        result = KeyMap()
        for key in keys:
            self._take(key, fans, set(keys), result)
        _require_unique(move.target for move in result.moves)
        return result

    def from_canonical(self, keys: Iterable[str]) -> KeyMap:
        """What becomes of canonical keys in this layout."""
        gathered: dict[str, list[str]] = {}
        result = KeyMap()
        for key in keys:
            target = self._back(key)
            if target is None:
                result.unknown.append(key)
            else:
                gathered.setdefault(target, []).append(key)
        result.moves = [Move(tuple(sources), target) for target, sources in gathered.items()]
        for rule in self._rules:
            if rule.of is not None and rule.derived is not None:
                found = [(fields, key) for key in gathered if (fields := rule.of.match(key)) is not None]
                result.made += [Derivation(rule.source.format(fields), rule.derived, key) for fields, key in found]
        return result

    def _take(self, key: str, fans: dict[int, list[dict[str, int | str]]], keys: set[str], result: KeyMap) -> None:
        for rule in self._rules:
            fields = rule.source.match(key)
            if fields is None:
                continue
            if rule.to is not None:
                result.moves += [Move((key,), rule.to.format({**fields, **fan})) for fan in fans[id(rule)]]
                return
            if rule.of is not None and rule.derived is not None and rule.of.format(fields) in keys:
                result.dropped.append(Derivation(key, rule.derived, rule.of.format(fields)))
                return
        result.unknown.append(key)

    def _back(self, key: str) -> str | None:
        for rule in self._rules:
            fields = rule.to.match(key) if rule.to is not None else None
            if fields is not None:
                return rule.source.format(fields)
        return None


def load_layout(file: str) -> Layout:
    """The layout of a file under `specs/layouts`, by the file's name without its ending.

    Raises:
        LayoutError: there is none, or its rules are wrong.
    """
    names = specs.layout_names()
    if file not in names and not file.startswith("_"):
        raise LayoutError("E-layout", file, f"no such layout; there are: {listed(names)}", nearest(file, names))
    try:
        spec = LayoutSpec.model_validate(read_yaml(specs.layout_path(file)))
    except ValidationError as error:
        raise LayoutError("E-layout", file, f"not a layout: {error}") from error
    return Layout(spec, file)


@cache
def layouts() -> tuple[Layout, ...]:
    """All layouts that come with codecspec."""
    return tuple(load_layout(name) for name in specs.layout_names())


@cache
def _spellings() -> Layout:
    return load_layout("_spellings")


def today_names(keys: Iterable[str]) -> dict[str, str]:
    """key -> today's name of it, for keys whose tensors have an older name (see `specs/layouts/_spellings.yaml`)."""
    return {move.sources[0]: move.target for move in _spellings().to_canonical(keys).moves}


def _require_unique(targets: Iterable[str]) -> None:
    seen: set[str] = set()
    for target in targets:
        if target in seen:
            raise LayoutError("E-layout", target, "two tensors would get this key")
        seen.add(target)
