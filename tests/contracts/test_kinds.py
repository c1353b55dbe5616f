"""Every kind of node that a spec may name can be read back: the schema's unions and the kinds are the same list."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Union, get_args, get_origin

from codecspec.compiler.kind import Activation, BlockKind, ConditionalKind, ContextKind, LatentKind
from codecspec.compiler.kinds import KINDS
from codecspec.compiler.kinds.dual import Dual
from codecspec.compiler.kinds.sequence import Sequence
from codecspec.schema.fields import SpecModel
from codecspec.schema.model import ModelSpec

INSIDE = {"entropy_transform", "cca"}
"""Kinds that stand inside others and have no tag of their own in a spec."""
READERS = (BlockKind, LatentKind, ConditionalKind, ContextKind, Sequence, Dual)


def _models(annotation: Any, seen: set[type]) -> Iterator[type[SpecModel]]:
    """Every model of a spec that an annotation reaches."""
    if isinstance(annotation, type) and issubclass(annotation, SpecModel):
        if annotation not in seen:
            seen.add(annotation)
            yield annotation
            for field in annotation.model_fields.values():
                yield from _models(field.annotation, seen)
        return
    for argument in get_args(annotation) if get_origin(annotation) is not None or annotation is Union else ():
        yield from _models(argument, seen)


def test_the_tags_of_the_language_are_the_kinds() -> None:
    tags = {
        tag
        for model in _models(ModelSpec, set())
        if "type" in model.model_fields
        for tag in get_args(model.model_fields["type"].annotation)
    }
    assert tags | INSIDE == set(KINDS)
    assert not tags & INSIDE


def test_every_kind_has_a_reader() -> None:
    assert [tag for tag, kind in KINDS.items() if not isinstance(kind, READERS)] == []
    without = [tag for tag, kind in KINDS.items() if isinstance(kind, Activation)]
    assert sorted(without) == ["abs", "gelu", "leaky_relu", "relu"], "all others have tensors to be read by"
