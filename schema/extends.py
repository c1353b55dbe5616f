"""`extends: tcm`: the spec starts from another; what it says itself overrides that, key by key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from codecspec.schema.errors import SchemaError, shown
from codecspec.schema.yaml_source import SourceMap, read_yaml

MAX_CHAIN = 8

_FORM_KEYS = {"params": (), "groups": ("equal", "proportions"), "support": ("filter", "slices")}
"""By key: the keys of a mapping that say of which form it is; `type` elsewhere."""

FindSpec = Callable[[str, Path], Path]


def merge_extends(tree: SourceMap, folder: Path, find: FindSpec) -> SourceMap:
    """`tree` over the spec that it extends, over the spec that that one extends, and so on.

    Mappings merge key by key; lists and single values replace. A mapping of another form replaces the whole node,
    since its keys mean something else: another `type`, other `groups`, a support with another `filter` or `slices`.

    Args:
        tree: a spec as read.
        folder: where a relative path in its `extends` starts.
        find: (name or path, folder) -> the file of a spec.

    Raises:
        SchemaError: a spec extends itself, through others too, or more than `MAX_CHAIN` in a row.
    """
    chain: list[Path] = []
    layers = [tree]
    while "extends" in layers[-1]:
        layer = layers[-1]
        name, mark = layer["extends"], layer.value_marks["extends"]
        if not isinstance(name, str):
            raise SchemaError("E-extends", str(mark), f"`extends` names one spec, found {shown(name)}")
        try:
            path = find(name, folder).resolve()
        except SchemaError as error:
            raise SchemaError("E-extends", str(mark), f"{shown(name)}: {error.message}", error.hint) from None
        if path in chain or len(chain) >= MAX_CHAIN:
            names = " -> ".join(link.stem for link in [*chain, path])
            what = "comes back to itself" if path in chain else f"is longer than {MAX_CHAIN}"
            raise SchemaError("E-extends", str(mark), f"the chain {names} {what}")
        chain.append(path)
        folder = path.parent
        layers.append(read_yaml(path))
    merged = layers.pop()
    while layers:
        merged = _over(layers.pop(), merged)
    merged.pop("extends", None)
    return merged


def _over(upper: SourceMap, lower: SourceMap) -> SourceMap:
    """`lower` with what `upper` says in its place; marks come from whichever said it."""
    result = SourceMap(upper.mark)
    for key in [*lower, *(key for key in upper if key not in lower)]:
        said_by = upper if key in upper else lower
        value: Any = said_by[key]
        if key in upper and key in lower and _mergeable(key, upper[key], lower[key]):
            value = _over(upper[key], lower[key])
        result.put(key, value, said_by.key_marks[key], said_by.value_marks[key])
    return result


def _mergeable(key: str, upper: Any, lower: Any) -> bool:
    if not isinstance(upper, SourceMap) or not isinstance(lower, SourceMap):
        return False
    return all(upper[form] == lower.get(form) for form in _FORM_KEYS.get(key, ("type",)) if form in upper)
