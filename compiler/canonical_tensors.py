"""A checkpoint's tensors under the canonical keys, by names and shapes alone: what a layout makes of them, and how they
differ from a plan's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from codecspec.compiler.checkpoints.damaged import printable
from codecspec.compiler.derived_tensors import DERIVED
from codecspec.compiler.layouts import CANONICAL, KeyMap, Layout, Move, layouts, today_names
from codecspec.compiler.plan import AUX, ROOTS, Plan, TensorPlan
from codecspec.compiler.reading import Seen
from codecspec.compiler.remembered_keys import Keys, remembered
from codecspec.compiler.value_ops import VALUE_OPS
from codecspec.schema.errors import LayoutError, Problem

MAX_DIMS = 8
"""Dimensions of which each is said."""
FEW = 5
"""Differences of one kind that a reader takes in at once."""


class TensorLike(Protocol):
    """What is known of a tensor without its values."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its sizes."""
        ...

    @property
    def dtype(self) -> object:
        """Its type; `torch.float32` and `float32` are the same."""
        ...


@dataclass(frozen=True, slots=True)
class CanonicalTensors:
    """What one layout makes of a checkpoint.

    Args:
        layout: the layout; None where the keys are canonical already.
        keymap: what becomes of every key.
        tensors: canonical key -> the tensor that comes there, with its canonical shape.
        problems: tensors that the layout has no use for in the shape that they have.
    """

    layout: Layout | None
    keymap: KeyMap
    tensors: dict[str, Seen]
    problems: tuple[Problem, ...] = ()

    @property
    def name(self) -> str:
        """The layout's name."""
        return self.layout.name if self.layout else CANONICAL

    def differences(self, plan: Plan) -> list[Problem]:
        """What keeps these tensors from being exactly those of a plan, by key of the checkpoint where there is one.

        Kinds of differences of which there are FEW come first, as the others may follow from them: where one tensor is
        missing, a param is unknown and many shapes are wrong. Of kinds with many, shapes tell most: params are others.
        """
        planned = plan.manifest()
        misshapen = [
            problem
            for key, want in planned.items()
            if key in self.tensors
            for problem in _misshapen(self.tensors[key], want)
        ]
        unknown = self.keymap.unknown
        left_over = [Problem("E-tensors", key, "left over: the model has no such tensor") for key in unknown]
        left_over += [
            Problem("E-tensors", seen.key, f"left over: the model has no tensor {printable(key)}")
            for key, seen in self.tensors.items()
            if key not in planned
        ]
        missing = [
            Problem("E-tensors", key, f"missing: the model needs it, of shape {list(want.shape)}")
            for key, want in planned.items()
            if key not in self.tensors
        ]
        kinds: list[Sequence[Problem]] = [misshapen, left_over, self.problems, missing]
        kinds.sort(key=lambda kind: len(kind) > FEW)
        return [problem for kind in kinds for problem in kind]

    def without_aux(self) -> tuple[CanonicalTensors, tuple[str, ...]]:
        """The same without an auxiliary branch, and the keys of the checkpoint that this leaves out."""
        out = [move for move in self.keymap.moves if _is_aux(move.target)]
        keymap = KeyMap(
            moves=[move for move in self.keymap.moves if not _is_aux(move.target)],
            dropped=self.keymap.dropped,
            unknown=self.keymap.unknown,
        )
        tensors = {key: seen for key, seen in self.tensors.items() if not _is_aux(key)}
        return (
            CanonicalTensors(self.layout, keymap, tensors, self.problems),
            tuple(dict.fromkeys(move.sources[0] for move in out)),
        )


def in_layouts(tensors: Mapping[str, TensorLike], *, whole: bool) -> Iterator[CanonicalTensors]:
    """What each layout makes of a checkpoint's tensors, the canonical one first.

    Args:
        tensors: the tensors, or what is known of them, by today's names of a bottleneck's.
        whole: only the layouts with a rule for every key; the canonical one has none for a key outside of `ROOTS`.
    """
    for layout, keymap in _whole_maps(tensors) if whole else _all_maps(tuple(tensors)):
        yield _mapped(layout, keymap, tensors)


@remembered
def _whole_maps(keys: Keys) -> tuple[tuple[Layout | None, KeyMap], ...]:
    """The layouts that have a rule for every key, and what becomes of the keys; a glance at one key of every first
    segment passes over most."""
    glance = {key.partition(".")[0]: key for key in keys}
    present = frozenset(keys)
    likely = [layout for layout in layouts() if all(layout.takes(key, present) for key in glance.values())]
    maps = [(layout, layout.to_canonical(keys)) for layout in likely]
    own = [(None, _unchanged(keys))] if glance.keys() <= set(ROOTS) else []
    return (*own, *((layout, keymap) for layout, keymap in maps if not keymap.unknown))


def _all_maps(keys: Keys) -> Iterator[tuple[Layout | None, KeyMap]]:
    """What becomes of the keys in every layout."""
    yield None, _unchanged(keys)
    for layout in layouts():
        yield layout, layout.to_canonical(keys)


def _unchanged(keys: Keys) -> KeyMap:
    return KeyMap(moves=[Move((key,), key) for key in keys])


def with_today_names(keys: Mapping[str, TensorLike]) -> dict[str, str]:
    """today's name of each tensor -> its key; of one under both its names, each is left."""
    old = today_names(keys)
    if not old:
        return dict(zip(keys, keys, strict=True))
    return {name if (name := old.get(key, key)) not in keys else key: key for key in keys}


def _mapped(layout: Layout | None, keymap: KeyMap, tensors: Mapping[str, TensorLike]) -> CanonicalTensors:
    found: dict[str, Seen] = {}
    problems: list[Problem] = []
    for move in keymap.moves:
        key = move.sources[0]
        shape, dtype = tuple(tensors[key].shape), str(tensors[key].dtype).removeprefix("torch.")
        try:
            found[move.target] = Seen(key, VALUE_OPS[move.op].shape(shape) if move.op else shape, dtype)
        except LayoutError as error:
            problems.append(Problem("E-tensors", key, error.message))
    for dropped in keymap.dropped:
        try:
            want = DERIVED[dropped.op].shape(tuple(tensors[dropped.of].shape))
        except LayoutError as error:
            problems.append(Problem("E-tensors", dropped.of, error.message))
            continue
        if tuple(tensors[dropped.key].shape) != want:
            sizes = _sizes(tuple(tensors[dropped.key].shape))
            message = f"of shape {sizes}, and the {dropped.op} of {dropped.of} is {list(want)}"
            problems.append(Problem("E-tensors", dropped.key, message))
    return CanonicalTensors(layout, keymap, found, tuple(problems))


def _sizes(shape: tuple[int, ...]) -> str:
    return str(list(shape)) if len(shape) <= MAX_DIMS else f"{len(shape)} dimensions"


def _is_aux(key: str) -> bool:
    return key.partition(".")[0] == AUX


def _misshapen(seen: Seen, want: TensorPlan) -> list[Problem]:
    if seen.is_floating_point != (want.dtype == "float32"):
        return [Problem("E-tensors", seen.key, f"of type {seen.dtype}, and the model needs {want.dtype}")]
    if want.role != "table" and seen.shape != want.shape:
        return [
            Problem("E-tensors", seen.key, f"of shape {_sizes(seen.shape)}, and the model needs {list(want.shape)}")
        ]
    return []
