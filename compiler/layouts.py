"""Layouts: the names that one program gives to the tensors of a model, as rules to and from the canonical names.

A layout is data (`specs/layouts/*.yaml`), and all in it works in both directions. A key goes through three steps:

    derived   {key: A, op: name, of: B}         what another tensor says (`compiler/derived_tensors.py`): dropped if it
                                                is as `op` makes it, and made on the way back
    inside    {from: {head*}.A, to: {head*}.B}  names within blocks, wherever they stand; with `op: name` the values are
                                                reordered too (`compiler/value_ops.py`); with `has: {head*}.C` only
                                                where C stands beside A, so that other blocks may have an A too (on the
                                                way back B says enough); other keys keep their names
    rules     {from: A, to: B}                  whole keys; the first that fits takes the key
              {from: A, to: B{k}, for_each: C{k}}  one tensor here, a copy for each k there, equal on the way back

Every tensor is accounted for: moved, made, dropped with its reason, or named as unknown.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from codecspec import specs
from codecspec.compiler.derived_tensors import DERIVED
from codecspec.compiler.key_patterns import KeyPattern
from codecspec.compiler.remembered_keys import Keys, remembered
from codecspec.compiler.value_ops import VALUE_OPS
from codecspec.schema.errors import LayoutError, listed, nearest
from codecspec.schema.yaml_source import read_yaml

CANONICAL = "canonical"
_CONFIG = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class RuleSpec(BaseModel):
    """One rule as it is written; see the module's docstring."""

    model_config = _CONFIG

    source: str = Field(alias="from")
    to: str
    for_each: str | None = None


class DerivedSpec(BaseModel):
    """One tensor that another says; see the module's docstring."""

    model_config = _CONFIG

    key: str
    op: str
    of: str

    @model_validator(mode="after")
    def _known_op(self) -> Self:
        if self.op not in DERIVED:
            raise ValueError(f"nothing derives {self.op}; there are: {listed(DERIVED)}")
        return self


class RenameSpec(BaseModel):
    """One rename within blocks; see the module's docstring."""

    model_config = _CONFIG

    source: str = Field(alias="from")
    to: str
    op: str | None = None
    has: str | None = None

    @model_validator(mode="after")
    def _known_op(self) -> Self:
        if self.op is not None and self.op not in VALUE_OPS:
            raise ValueError(f"no value op {self.op}; there are: {listed(VALUE_OPS)}")
        return self


class LayoutSpec(BaseModel):
    """A layout file."""

    model_config = _CONFIG

    layout: str
    families: tuple[str, ...]
    derived: tuple[DerivedSpec, ...] = ()
    inside: tuple[RenameSpec, ...] = ()
    rules: tuple[RuleSpec, ...]


@dataclass(frozen=True, slots=True)
class Move:
    """`target` is what stands under `sources`, which must all be equal, after the value op."""

    sources: tuple[str, ...]
    target: str
    op: str | None = None


@dataclass(frozen=True, slots=True)
class Derivation:
    """`key` is what the operation `op` makes of the tensor under `of`, a key of the same layout."""

    key: str
    op: str
    of: str


@dataclass(slots=True)
class KeyMap:
    """What becomes of every key of a checkpoint; once it is made, several may share it, and nobody changes it.

    Args:
        moves: target keys, in order, and where their tensors come from.
        dropped: keys that hold nothing that another tensor does not say; to be checked, then left out.
        made: keys of the result that are computed from another of its tensors.
        unknown: keys that no rule takes.
        back: whether value ops are inverted.
    """

    moves: list[Move] = field(default_factory=list)
    dropped: list[Derivation] = field(default_factory=list)
    made: list[Derivation] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    back: bool = False

    @property
    def by_target(self) -> dict[str, Move]:
        """Target key -> where it comes from."""
        return {move.target: move for move in self.moves}


class Derived:
    """One tensor that another says, compiled."""

    def __init__(self, spec: DerivedSpec) -> None:
        self.key = KeyPattern(spec.key)
        self.op = spec.op
        self.of = KeyPattern(spec.of)
        if self.key.forms != self.of.forms:
            raise LayoutError("E-layout", f"{spec.key} of {spec.of}", "both need the same fields")


class Rule:
    """One rule, compiled."""

    def __init__(self, spec: RuleSpec) -> None:
        self.source = KeyPattern(spec.source)
        self.to = KeyPattern(spec.to)
        self.for_each = KeyPattern(spec.for_each) if spec.for_each is not None else None
        self.fanned = self.to.fields - self.source.fields
        wanted = self.for_each.fields if self.for_each else frozenset()
        lost = self.source.fields - self.to.fields
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


class Rename:
    """One rename within blocks, compiled."""

    def __init__(self, spec: RenameSpec) -> None:
        self.source = KeyPattern(spec.source)
        self.to = KeyPattern(spec.to)
        self.op = spec.op
        self.has = KeyPattern(spec.has) if spec.has is not None else None
        if self.source.forms != self.to.forms:
            raise LayoutError("E-layout", f"{spec.source} -> {spec.to}", "both sides need the same fields")
        if self.has and not self.has.fields <= self.source.fields:
            raise LayoutError("E-layout", f"{spec.source} has {spec.has}", "`has` needs fields of `from` alone")


class Layout:
    """A layout, ready to map keys to the canonical ones and back."""

    def __init__(self, spec: LayoutSpec, file: str) -> None:
        self.name = spec.layout
        self.families = spec.families
        self.file = file
        self._derivations = [Derived(derived) for derived in spec.derived]
        self._inside = [Rename(rename) for rename in spec.inside]
        self._rules = [Rule(rule) for rule in spec.rules]
        self._from = _ByHead((rule, rule.source) for rule in self._rules)
        self._to = _ByHead((rule, rule.to) for rule in self._rules)

    def __repr__(self) -> str:
        return f"Layout({self.file!r})"

    def to_canonical(self, keys: Iterable[str]) -> KeyMap:
        """What becomes of the keys of a checkpoint in this layout."""
        keys = list(keys)
        present = frozenset(keys)
        result = KeyMap()
        result.dropped = [derivation for derivation in self._derivable(present) if derivation.key in present]
        dropped = {derivation.key for derivation in result.dropped}
        origin: dict[str, tuple[str, str | None]] = {}
        for key in keys:
            if key not in dropped:
                name, op = self._rename(key, present)
                if name in origin:
                    result.unknown.append(key)  # under both names that a tensor can have
                origin.setdefault(name, (key, op))
        fans = {id(rule): rule.fan(origin) for rule in self._rules}
        for name in origin:
            self._take(name, fans, origin, result)
        _require_unique(move.target for move in result.moves)
        return result

    def takes(self, key: str, keys: Container[str] = ()) -> bool:
        """Whether a rule takes `key`; `keys` are all there are."""
        name, _ = self._rename(key, keys)
        taken = any(rule.source.match(name) is not None for rule in self._from.of(name))
        return taken or any(derived.key.match(key) is not None for derived in self._derivations)

    def from_canonical(self, keys: Iterable[str]) -> KeyMap:
        """What becomes of canonical keys in this layout."""
        gathered: dict[str, list[str]] = {}
        result = KeyMap(back=True)
        for key in keys:
            name = self._back(key)
            if name is None:
                result.unknown.append(key)
            else:
                gathered.setdefault(name, []).append(key)
        result.moves = [Move(tuple(sources), *self._rename_back(name)) for name, sources in gathered.items()]
        result.made = self._derivable(move.target for move in result.moves)
        return result

    def _derivable(self, keys: Iterable[str]) -> list[Derivation]:
        """What can be computed from tensors of the layout under `keys`."""
        found: list[Derivation] = []
        for key in sorted(keys) if self._derivations else ():
            for derived in self._derivations:
                fields = derived.of.match(key)
                if fields is not None:
                    found.append(Derivation(derived.key.format(fields), derived.op, key))
        return found

    def _rename(self, key: str, keys: Container[str]) -> tuple[str, str | None]:
        """The key as the rules know it, and the value op on the way; `keys` are all there are."""
        for rename in self._inside:
            fields = rename.source.match(key)
            if fields is not None and (rename.has is None or rename.has.format(fields) in keys):
                return rename.to.format(fields), rename.op
        return key, None

    def _rename_back(self, name: str) -> tuple[str, str | None]:
        """The inverse of `_rename`."""
        for rename in self._inside:
            fields = rename.to.match(name)
            if fields is not None:
                return rename.source.format(fields), rename.op
        return name, None

    def _take(
        self,
        name: str,
        fans: dict[int, list[dict[str, int | str]]],
        origin: dict[str, tuple[str, str | None]],
        result: KeyMap,
    ) -> None:
        """What the rules do with a key, by the name that they know it under."""
        key, op = origin[name]
        for rule in self._from.of(name):
            fields = rule.source.match(name)
            if fields is not None and fans[id(rule)]:
                result.moves += [Move((key,), rule.to.format({**fields, **fan}), op) for fan in fans[id(rule)]]
                return
        result.unknown.append(key)

    def _back(self, key: str) -> str | None:
        for rule in self._to.of(key):
            fields = rule.to.match(key)
            if fields is not None:
                return rule.source.format(fields)
        return None


class _ByHead:
    """Rules by the first segment of the keys that they can take, in their order."""

    def __init__(self, rules: Iterable[tuple[Rule, KeyPattern]]) -> None:
        rules = list(rules)
        heads = {pattern.head for _, pattern in rules if pattern.head is not None}
        self._any = [rule for rule, pattern in rules if pattern.head is None]
        self._of = {head: [rule for rule, pattern in rules if pattern.head in (None, head)] for head in heads}

    def of(self, key: str) -> list[Rule]:
        """The rules that may take `key`."""
        return self._of.get(key.partition(".")[0], self._any)


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


@remembered
def today_names(keys: Keys) -> Mapping[str, str]:
    """key -> today's name of it, for keys whose tensors have an older name (see `specs/layouts/_spellings.yaml`)."""
    old = [key for key in keys if _spellings().takes(key)]
    return {move.sources[0]: move.target for move in _spellings().to_canonical(old).moves}


def _require_unique(targets: Iterable[str]) -> None:
    seen: set[str] = set()
    for target in targets:
        if target in seen:
            raise LayoutError("E-layout", target, "two tensors would get this key")
        seen.add(target)
