"""What differs between two specs, by the path of each field."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from codecspec.compiler.canonical import canonical_dict
from codecspec.compiler.plan import join
from codecspec.schema.model import ModelSpec

ABSENT = None
"""What stands for a field, or a block, that one of two specs has not."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One field, or one block, that two specs say differently.

    Args:
        path: its path in the first spec; in the second where only that has it.
        first: what the first spec says, as plain data; None where it has no such thing.
        second: the same of the second.
    """

    path: str
    first: Any
    second: Any


def spec_differences(first: ModelSpec, second: ModelSpec) -> list[Difference]:
    """Where two canonical specs differ: nowhere exactly where they mean the same, training included.

    Blocks in a row are compared with those that they match best, so that one more block is one difference.
    """
    return list(_differences("", canonical_dict(first), canonical_dict(second)))


def _differences(path: str, first: Any, second: Any) -> Iterator[Difference]:
    if first == second:
        return
    if isinstance(first, Mapping) and isinstance(second, Mapping) and first.get("type") == second.get("type"):
        for name in dict.fromkeys([*first, *second]):
            yield from _differences(join(path, name), first.get(name, ABSENT), second.get(name, ABSENT))
    elif _are_nodes(first) and _are_nodes(second):
        yield from _rows(path, first, second)
    else:
        yield Difference(path, first, second)


def _are_nodes(value: Any) -> bool:
    """Whether it is a list of blocks or of leaves."""
    return isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) for item in value)


def _rows(path: str, first: Sequence[Any], second: Sequence[Any]) -> Iterator[Difference]:
    ones, others = ([json.dumps(item, sort_keys=True) for item in row] for row in (first, second))
    for tag, i, i_end, j, j_end in SequenceMatcher(None, ones, others, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        paired = min(i_end - i, j_end - j)
        for k in range(paired):
            yield from _differences(join(path, str(i + k)), first[i + k], second[j + k])
        for k in range(i + paired, i_end):
            yield Difference(join(path, str(k)), first[k], ABSENT)
        for k in range(j + paired, j_end):
            yield Difference(join(path, str(k)), ABSENT, second[k])
