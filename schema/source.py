"""From a path inside a spec back to the line that says it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from codecspec.schema.errors import ErrorCode, SchemaError
from codecspec.schema.yaml_source import MAX_DEPTH, MAX_NODES, Mark, SourceList, SourceMap

SpecPath = tuple[str | int, ...]


class SpecSource:
    """The located tree of a spec, or nothing for a spec made in Python.

    Args:
        tree: the spec as it was validated, after `extends`, params and `repeat`.
        written: the same before params and `repeat`, so that other params can be put in place.
    """

    def __init__(self, tree: SourceMap | None = None, written: SourceMap | None = None) -> None:
        self.tree = tree
        self.written = written

    def mark(self, path: Iterable[str | int]) -> Mark | None:
        """Where the value at `path` stands.

        Elements that name no key or item (a union's tag in one of Pydantic's locations, a missing key) are passed
        over, so the mark is that of the nearest enclosing value.
        """
        if self.tree is None:
            return None
        node: object = self.tree
        mark = self.tree.mark
        for step in path:
            if isinstance(node, SourceMap) and step in node:
                mark = node.value_marks[str(step)]
                node = node[str(step)]
            elif isinstance(node, SourceList) and isinstance(step, int) and step < len(node):
                mark = node.item_marks[step]
                node = node[step]
        return mark

    def where(self, path: SpecPath) -> str:
        """`file:line:column` of the value at `path`, or `$.the.path` for a spec made in Python."""
        mark = self.mark(path)
        return str(mark) if mark else dotted(path)


def dotted(path: SpecPath) -> str:
    """`$.g_a[2].out` for ("g_a", 2, "out")."""
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)


@dataclass(frozen=True, slots=True)
class PathMark(Mark):
    """The place of a value in a mapping made in Python: its path."""

    def __str__(self) -> str:
        return self.file


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
        return value

    def mapping(self, mapping: Mapping[str, Any], path: SpecPath) -> SourceMap:
        result = SourceMap(_mark(path))
        for key, value in mapping.items():
            if not isinstance(key, str):
                raise SchemaError("E-yaml", dotted(path), f"a key must be a word, found {key!r}")
            mark = _mark((*path, key))
            result.put(key, self.value(value, (*path, key)), mark, mark)
        return result


def _mark(path: SpecPath) -> PathMark:
    return PathMark(dotted(path), 0, 0)
