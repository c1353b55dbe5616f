"""Tensors from one layout to another: every one moved, made, or dropped after a check."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codecspec import specs
from codecspec.compiler.checkpoints import SPEC_KEY, read_metadata, read_tensors
from codecspec.compiler.derived_tensors import DERIVED
from codecspec.compiler.layouts import CANONICAL, KeyMap, Layout, Move, layouts, today_names
from codecspec.compiler.lower import lower
from codecspec.compiler.plan import AUX, Plan, TensorPlan
from codecspec.compiler.value_ops import VALUE_OPS
from codecspec.schema.errors import CheckpointError, LayoutError, Problem, listed, nearest
from codecspec.schema.load import SpecLike, load_spec, parse_whole_spec
from codecspec.schema.model import ModelSpec

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
    old = today_names(tensors)
    renamed = {old.get(key, key): tensor for key, tensor in tensors.items()}
    candidates = [(None, _identity(renamed)), *((layout, layout.to_canonical(renamed)) for layout in layouts())]
    left_out = {layout: _leave_out_aux(keymap, plan) for layout, keymap in candidates}
    layout, keymap = min(candidates, key=lambda candidate: len(_problems(candidate[1], renamed, plan)))
    problems = _problems(keymap, renamed, plan)
    if problems:
        raise CheckpointError.collect(problems)
    report = [f"{len(old)} tensors of a bottleneck under their older names"] if old else []
    result = apply(keymap, renamed)
    aux = left_out[layout]
    if aux:
        report.append(f"{len(aux)} tensors of the auxiliary branch left out: the model has none ({aux[0]}, ..)")
    return Conversion(result, layout.name if layout else CANONICAL, (*report, *_summary(keymap)), aux)


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
        if not torch.equal(tensors[dropped.key].cpu(), DERIVED[dropped.op](tensors[dropped.of])):
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
        result[made.key] = DERIVED[made.op](result[made.of])
    return result


def _moved(move: Move, tensors: Mapping[str, Tensor], back: bool) -> Tensor:
    """The tensor that a move brings."""
    tensor = tensors[move.sources[0]]
    if move.op is None:
        return tensor
    op = VALUE_OPS[move.op]
    return op.back(tensor) if back else op.there(tensor)


def _identity(tensors: Mapping[str, Tensor]) -> KeyMap:
    return KeyMap(moves=[Move((key,), key) for key in tensors])


def _leave_out_aux(keymap: KeyMap, plan: Plan) -> tuple[str, ...]:
    """Take the moves to an auxiliary branch out of the key map for a plan without one; the keys that stay behind."""
    if any(root.path == AUX for root in plan.roots):
        return ()
    out = [move for move in keymap.moves if move.target.split(".")[0] == AUX]
    keymap.moves = [move for move in keymap.moves if move.target.split(".")[0] != AUX]
    return tuple(dict.fromkeys(move.sources[0] for move in out))


def _problems(keymap: KeyMap, tensors: Mapping[str, Tensor], plan: Plan) -> list[Problem]:
    """What keeps these tensors from being those of the plan, by key of the checkpoint where there is one."""
    planned = plan.manifest()
    moves = keymap.by_target
    problems = [Problem("E-tensors", key, "left over: the model has no such tensor") for key in keymap.unknown]
    problems += [
        Problem("E-tensors", move.sources[0], f"left over: the model has no tensor {target}")
        for target, move in moves.items()
        if target not in planned
    ]
    problems += [
        Problem("E-tensors", key, f"missing: the model needs it, of shape {list(want.shape)}")
        for key, want in planned.items()
        if key not in moves
    ]
    for key, want in planned.items():
        if key in moves:
            problems += _misshapen(moves[key], tensors, want)
    return problems


def _misshapen(move: Move, tensors: Mapping[str, Tensor], want: TensorPlan) -> list[Problem]:
    key = move.sources[0]
    try:
        tensor = _moved(move, tensors, back=False)
    except LayoutError as error:
        return [Problem("E-tensors", key, error.message)]
    dtype = str(tensor.dtype).removeprefix("torch.")
    if tensor.is_floating_point() != (want.dtype == "float32"):
        return [Problem("E-tensors", key, f"of type {dtype}, and the model needs {want.dtype}")]
    if want.role != "table" and tuple(tensor.shape) != want.shape:
        return [Problem("E-tensors", key, f"of shape {list(tensor.shape)}, and the model needs {list(want.shape)}")]
    return []


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
        spec: which model it is; not needed for a file that `save` wrote, which says so itself.

    Raises:
        CheckpointError: the file cannot be read, says no spec and none is given, or does not fit the spec.
        LayoutError: there is no such layout of this model.
    """
    plan = lower(load_spec(spec) if spec is not None else _embedded(checkpoint))
    tensors = checkpoint if isinstance(checkpoint, Mapping) else read_tensors(checkpoint)
    canonical = to_canonical(tensors, plan)
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


def _embedded(checkpoint: str | os.PathLike[str] | Mapping[str, Tensor]) -> ModelSpec:
    """The spec inside a file that `save` wrote."""
    metadata = {} if isinstance(checkpoint, Mapping) else read_metadata(checkpoint)
    if SPEC_KEY not in metadata:
        where = "checkpoint" if isinstance(checkpoint, Mapping) else os.fspath(checkpoint)
        message = "there is no spec in this checkpoint, so which model it is has to be said"
        raise CheckpointError("E-checkpoint", where, message, "--spec NAME, or spec=... in Python")
    return parse_whole_spec(metadata[SPEC_KEY], f"{checkpoint}#spec")
