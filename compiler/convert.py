"""Tensors from one layout to another: every one moved, made, or dropped after a check."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codecspec import specs
from codecspec.compiler.canonical_tensors import CanonicalTensors, in_layouts, with_today_names
from codecspec.compiler.checkpoints import read_manifest
from codecspec.compiler.derived_tensors import DERIVED
from codecspec.compiler.inference.infer import Inference, infer_spec
from codecspec.compiler.layouts import CANONICAL, KeyMap, Layout, Move, layouts
from codecspec.compiler.lower import lower
from codecspec.compiler.plan import AUX, Plan
from codecspec.compiler.value_ops import VALUE_OPS
from codecspec.schema.errors import CheckpointError, LayoutError, Problem, listed, nearest
from codecspec.schema.load import SpecLike, load_spec

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Conversion:
    """A checkpoint in another layout.

    Args:
        tensors: the result.
        layout: the layout it came from or went to.
        report: what happened, a line each.
        left_out: keys of an auxiliary branch that the model has not.
    """

    tensors: dict[str, Tensor]
    layout: str
    report: tuple[str, ...]
    left_out: tuple[str, ...] = ()


def to_canonical(tensors: Mapping[str, Tensor], plan: Plan) -> Conversion:
    """The tensors of a checkpoint under the canonical keys of `plan`, whatever layout they are in.

    Those of an auxiliary branch are left out where the plan has none: training needed it, coding does not.

    Raises:
        CheckpointError: tensors are missing, left over or of another shape; every one is named.
        LayoutError: a tensor that should say nothing new does.
    """
    names = with_today_names(tensors)
    renamed = {name: tensors[key] for name, key in names.items()}
    best, aux, problems = _closest(renamed, plan)
    if problems:
        raise CheckpointError.collect(problems)
    result = apply(best.keymap, renamed)
    report = _older(names)
    if aux:
        report.append(f"{len(aux)} tensors of the auxiliary branch left out: the model has none ({aux[0]}, ..)")
    return Conversion(result, best.name, (*report, *_summary(best.keymap)), aux)


def as_inferred(inference: Inference, tensors: Mapping[str, Tensor]) -> Conversion:
    """The tensors of the checkpoint that an inference is of under the canonical keys of its plan.

    Raises:
        LayoutError: a tensor that should say nothing new does.
    """
    names = with_today_names(tensors)
    mapped = inference.mapped
    result = apply(mapped.keymap, {name: tensors[key] for name, key in names.items()})
    return Conversion(result, mapped.name, (*_older(names), *_summary(mapped.keymap)))


def _older(names: Mapping[str, str]) -> list[str]:
    """What there is to say of names that are older than today's."""
    old = sum(name != key for name, key in names.items())
    return [f"{old} tensors of a bottleneck under their older names"] if old else []


def _closest(tensors: Mapping[str, Tensor], plan: Plan) -> tuple[CanonicalTensors, tuple[str, ...], list[Problem]]:
    """The layout in which a checkpoint's tensors are most nearly those of `plan`; what that leaves out of an auxiliary
    branch that the plan has not; what keeps the rest from being the plan's."""
    has_aux = any(root.path == AUX for root in plan.roots)
    found: list[tuple[CanonicalTensors, tuple[str, ...], list[Problem]]] = []
    for whole in (True, False):
        for candidate in in_layouts(tensors, whole=whole):
            kept, aux = (candidate, ()) if has_aux else candidate.without_aux()
            found.append((kept, aux, kept.differences(plan)))
            if not found[-1][2]:
                return found[-1]
    return min(found, key=lambda each: len(each[2]))


def from_canonical(tensors: Mapping[str, Tensor], layout: Layout) -> Conversion:
    """Canonical tensors under the keys of `layout`; the inverse of `to_canonical`, bit for bit.

    Raises:
        LayoutError: the layout has no place for a tensor, or copies that become one differ.
    """
    keymap = layout.from_canonical(tensors)
    if keymap.unknown:
        raise LayoutError.collect(
            Problem("E-layout", key, f"the layout {layout.file} has no place for it") for key in keymap.unknown
        )
    return Conversion(apply(keymap, tensors), layout.name, tuple(_summary(keymap)))


def apply(keymap: KeyMap, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Carry out a key map.

    Raises:
        LayoutError: copies differ, or a dropped tensor is not what it should be.
    """
    import torch

    for dropped in keymap.dropped:
        if not torch.equal(tensors[dropped.key].cpu(), DERIVED[dropped.op].make(tensors[dropped.of])):
            message = f"it is not the {dropped.op} of {dropped.of}, so it cannot be dropped"
            raise LayoutError("E-layout", dropped.key, message)
    result: dict[str, Tensor] = {}
    for move in keymap.moves:
        first = tensors[move.sources[0]]
        for other in move.sources[1:]:
            if tensors[other].shape != first.shape or not torch.equal(tensors[other], first):
                message = f"it differs from {move.sources[0]}, and both would become {move.target}"
                raise LayoutError("E-layout", other, message)
        result[move.target] = _moved(move, tensors, keymap.back)
    for made in keymap.made:
        result[made.key] = DERIVED[made.op].make(result[made.of])
    return result


def _moved(move: Move, tensors: Mapping[str, Tensor], back: bool) -> Tensor:
    """The tensor that a move brings."""
    tensor = tensors[move.sources[0]]
    if move.op is None:
        return tensor
    op = VALUE_OPS[move.op]
    return op.back(tensor) if back else op.there(tensor)


def _summary(keymap: KeyMap) -> list[str]:
    lines = [f"{len(keymap.moves)} tensors moved"]
    lines += [f"{d.key} dropped: it is the {d.op} of {d.of}" for d in keymap.dropped]
    lines += [f"{d.key} made: the {d.op} of {d.of}" for d in keymap.made]
    return lines


def convert(
    checkpoint: str | os.PathLike[str] | Mapping[str, Tensor], to: str, *, spec: SpecLike | None = None
) -> Conversion:
    """A checkpoint in another layout, every tensor moved, made, or dropped after a check.

    Args:
        checkpoint: a file of weights in any known layout, or its tensors.
        to: the layout to convert to: `canonical`, `authors`, `compressai`, `compressai-1.2`.
        spec: which model it is; by default what the file says itself, or what `infer_spec` finds.

    Raises:
        CheckpointError: the file cannot be read, does not fit the spec, or none is given and none can be inferred.
        LayoutError: there is no such layout of this model.
    """
    manifest = read_manifest(checkpoint)
    if spec is None:
        inference = infer_spec(manifest)
        plan, canonical = inference.plan, as_inferred(inference, manifest.tensors())
    else:
        plan = lower(load_spec(spec))
        canonical = to_canonical(manifest.tensors(), plan)
    start = f"from the layout {canonical.layout}:"
    if to == CANONICAL:
        return Conversion(canonical.tensors, CANONICAL, (start, *canonical.report))
    there = from_canonical(canonical.tensors, layout_of(plan, to))
    return Conversion(there.tensors, to, (start, *canonical.report, f"to the layout {to}:", *there.report))


def layout_of(plan: Plan, name: str) -> Layout:
    """The layout called `name` of the model that a plan is of.

    For a spec of the zoo's name, it is the one for that family. For any other, it is the one that has a place for every
    tensor; where several have, the name of its file says which (`authors-wacnn`).

    Raises:
        LayoutError: there is none, or several.
    """
    fitting = [layout for layout in layouts() if plan.spec.name in layout.families]
    if plan.spec.name not in specs.names():
        keys = list(plan.manifest())
        fitting = [layout for layout in layouts() if not layout.from_canonical(keys).unknown]
    named = [layout for layout in fitting if name in (layout.name, layout.file)]
    if len(named) == 1:
        return named[0]
    if named:
        files = [layout.file for layout in named]
        message = f"several layouts '{name}' have a place for each tensor: {listed(files)}"
        raise LayoutError("E-layout", plan.spec.name, message, "give the one that is meant by that name")
    known = sorted({CANONICAL, *(layout.name for layout in fitting)})
    message = f"{plan.spec.name} has no layout '{name}'; it has: {listed(known)}"
    raise LayoutError("E-layout", plan.spec.name, message, nearest(name, known))
