"""From a path inside a spec back to the line that says it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from codecspec.schema.errors import ErrorCode, SchemaError, shown
from codecspec.schema.yaml_source import MAX_DEPTH, MAX_DIGITS, MAX_NODES, Mark, SourceList, SourceMap

SpecPath = tuple[str | int, ...]


class SpecSource:
    """The located tree of a spec, or nothing for a spec made in Python.

    Args:
        tree: the spec as it was validated, after `extends`, params and `repeat`.
        written: the same before params and `repeat`, so that other params can be put in place.
        overrides: the params that were put in place of the written ones.
    """

    def __init__(
        self,
        tree: SourceMap | None = None,
        written: SourceMap | None = None,
        overrides: Mapping[str, Any] | None = None,
    ) -> None:
        self.tree = tree
        self.written = written
        self.overrides = dict(overrides or {})

    def __eq__(self, other: object) -> bool:
        """Where a spec was written is no part of what it says: specs that say the same are equal."""
        return isinstance(other, SpecSource)

    def __hash__(self) -> int:
        return hash(SpecSource)

    def mark(self, path: Iterable[str | int]) -> Mark | None:
        """Where the value at `path` stands.

        Elements that name no key or item (a union's tag in one of Pydantic's locations, a missing key) are passed
        over, so the mark is that of the nearest enclosing value.
        """
        marks = [mark for _, mark in self._follow(path)]
        return marks[-1] if marks else self.tree.mark if self.tree is not None else None

    def written_steps(self, path: Iterable[str | int]) -> SpecPath:
        """The elements of `path` that name a key or an item of the spec."""
        return tuple(step for step, _ in self._follow(path))

    def _follow(self, path: Iterable[str | int]) -> Iterator[tuple[str | int, Mark]]:
        node: object = self.tree
        for step in path:
            if isinstance(node, SourceMap) and step in node:
                yield step, node.value_marks[str(step)]
                node = node[str(step)]
            elif isinstance(node, SourceList) and isinstance(step, int) and step < len(node):
                yield step, node.item_marks[step]
                node = node[step]

    def where(self, path: SpecPath) -> str:
        """`file:line:column` of the value at `path`, or `$.the.path` for a spec made in Python."""
        mark = self.mark(path)
        return str(mark) if mark else dotted(path)


def dotted(path: SpecPath) -> str:
    """`$.g_a[2].out` for ("g_a", 2, "out")."""
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)


@dataclass(frozen=True, slots=True)
class PathMark(Mark):
    """The place of a value in a mapping made in Python: its path, in no file."""

    path: str

    def __str__(self) -> str:
        return self.path


def locate(mapping: Mapping[str, Any]) -> SourceMap:
    """A Python mapping as a located tree, whose marks are paths (`$.g_a[2].out`).

    Raises:
        SchemaError: it nests too deep or is too large; keys that are not words are refused here too.
    """
    return _Locator().mapping(mapping, ())


class _Locator:
    def __init__(self) -> None:
        self.nodes = 0

    def value(self, value: Any, path: SpecPath) -> Any:
        self.nodes += 1
        if self.nodes > MAX_NODES or len(path) > MAX_DEPTH:
            code: ErrorCode = "E-too-large" if self.nodes > MAX_NODES else "E-too-deep"
            raise SchemaError(code, dotted(path[:8]), f"at most {MAX_NODES} nodes, nested at most {MAX_DEPTH} deep")
        if isinstance(value, Mapping):
            return self.mapping(value, path)
        if isinstance(value, (list, tuple)):
            result = SourceList(_mark(path))
            for i, item in enumerate(value):
                result.put(self.value(item, (*path, i)), _mark((*path, i)))
            return result
        if isinstance(value, int) and abs(value) >= 10**MAX_DIGITS:
            raise SchemaError("E-value", dotted(path), f"a number has more than {MAX_DIGITS} digits")
        return value

    def mapping(self, mapping: Mapping[str, Any], path: SpecPath) -> SourceMap:
        result = SourceMap(_mark(path))
        for key, value in mapping.items():
            if not isinstance(key, str):
                raise SchemaError("E-yaml", dotted(path), f"a key must be a word, found {shown(key)}")
            mark = _mark((*path, key))
            result.put(key, self.value(value, (*path, key)), mark, mark)
        return result


def _mark(path: SpecPath) -> PathMark:
    return PathMark("", 0, 0, dotted(path))
