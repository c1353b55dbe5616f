"""`{repeat: {count: depths[0], index: i, blocks: [...]}}` in a list becomes its blocks, count times."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from codecspec.schema.blocks import Repeat
from codecspec.schema.errors import Problem, SchemaError
from codecspec.schema.fields import Scope
from codecspec.schema.problems import problems_of
from codecspec.schema.yaml_source import MAX_NODES, BoundStr, Mark, SourceList, SourceMap


def unroll(tree: SourceMap, scope: Scope) -> SourceMap:
    """A copy of `tree` without repeats; strings inside one carry the values of its index.

    Problems of a repeat itself go to `scope.problems`, and the repeat is left out.

    Raises:
        SchemaError: the result would have more than `MAX_NODES` nodes.
    """
    return _Unroller(scope).mapping(tree, {})


class _Unroller:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.nodes = 0

    def count(self, mark: Mark) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise SchemaError("E-too-large", str(mark), f"more than {MAX_NODES} nodes once repeats are unrolled")

    def value(self, value: Any, bindings: dict[str, int], mark: Mark) -> Any:
        self.count(mark)
        if isinstance(value, SourceMap):
            return self.mapping(value, bindings)
        if isinstance(value, SourceList):
            return self.sequence(value, bindings)
        return BoundStr(value, bindings) if isinstance(value, str) and bindings else value

    def mapping(self, source: SourceMap, bindings: dict[str, int]) -> SourceMap:
        result = SourceMap(source.mark)
        for key, value in source.items():
            mark = source.value_marks[key]
            result.put(key, self.value(value, bindings, mark), source.key_marks[key], mark)
        return result

    def sequence(self, source: SourceList, bindings: dict[str, int]) -> SourceList:
        result = SourceList(source.mark)
        for item, mark in zip(source, source.item_marks, strict=True):
            if isinstance(item, SourceMap) and list(item) == ["repeat"]:
                self.repeat(item, bindings, result)
            else:
                result.put(self.value(item, bindings, mark), mark)
        return result

    def repeat(self, item: SourceMap, bindings: dict[str, int], result: SourceList) -> None:
        header = SourceMap(item.mark)
        header.put("repeat", item["repeat"], item.key_marks["repeat"], item.value_marks["repeat"])
        if isinstance(item["repeat"], SourceMap):
            header["repeat"] = self._bind_count(item["repeat"], bindings)
        try:
            repeat = Repeat.model_validate(header["repeat"], context=self.scope)
        except ValidationError as error:
            self.scope.problems += problems_of(error, header, self.scope, ("repeat",))
            result.incomplete = True
            return
        if repeat.index in self.scope.params or repeat.index in bindings:
            what = "a param" if repeat.index in self.scope.params else "the index of a repeat around this one"
            message = f"the index '{repeat.index}' is the name of {what}; call it something else"
            mark = item["repeat"].value_marks["index"]
            self.scope.problems.append(Problem("E-value", str(mark), message))
        blocks = item["repeat"]["blocks"]
        for i in range(repeat.count):
            self.count(item.mark)
            inner = {**bindings, repeat.index: i} if repeat.index else bindings
            unrolled = self.sequence(blocks, inner)
            result.incomplete |= unrolled.incomplete
            for block, mark in zip(unrolled, unrolled.item_marks, strict=True):
                result.put(block, mark)

    @staticmethod
    def _bind_count(repeat: SourceMap, bindings: dict[str, int]) -> SourceMap:
        """The repeat with its count able to name the indexes around it."""
        bound = SourceMap(repeat.mark)
        for key, value in repeat.items():
            if key == "count" and isinstance(value, str):
                value = BoundStr(value, bindings)
            bound.put(key, value, repeat.key_marks[key], repeat.value_marks[key])
        return bound
