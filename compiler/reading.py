"""What a checkpoint's tensors say of a node: the way back from tensors to a spec.

    View      the tensors below a path
    Told      a field's value, and the tensor that says it
    Reading   a node: its kind, the channels it takes and gives, the fields that are told, its parts
    Row       blocks one after the other: for each place the readings that its tensors allow

What no weight tells is not there: a field that a reading lacks is for a family or a default to say. Nothing here
decides: where tensors allow several readings, all of them are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from codecspec.compiler.checkpoints.damaged import printable
from codecspec.compiler.plan import TensorPlan, join
from codecspec.schema.errors import CheckpointError

MAX_SEGMENTS = 32
"""Segments of a key; ours have ten at most."""
MAX_BLOCKS = 4096
"""Blocks in a row."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A tensor of a checkpoint.

    Args:
        key: its key, as the file has it.
        shape: its shape, as the canonical layout has it.
        dtype: its type, as torch spells it.
    """

    key: str
    shape: tuple[int, ...]
    dtype: str = "float32"

    @property
    def is_floating_point(self) -> bool:
        """Whether it holds floating-point numbers, of any size."""
        return self.dtype in ("float16", "bfloat16", "float32", "float64")

    def __str__(self) -> str:
        return f"{self.key} {list(self.shape)}"


@dataclass(frozen=True, slots=True)
class Told:
    """What tensors say of a field.

    Args:
        value: its value.
        by: the tensor that says so; None where it is the lack of one, or several together.
        derived: it follows from several tensors, or from how channels flow, and not from one shape alone.
        alternatives: other values that the same tensors allow.
    """

    value: Any
    by: Seen | None = None
    derived: bool = False
    alternatives: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """A node as its tensors tell it.

    Args:
        path: its path.
        tag: its kind.
        c_in: channels that it takes; of a codec of a latent, the latent's; None where its tensors do not say.
        c_out: channels that it gives, likewise.
        told: field -> what is told of it.
        parts: field -> the reading of the node, of the row or of the nodes that stand there, or what is not understood.
        params: of a codec of a latent, the channels of parameters that it takes, where they are told.
        first: the first of its tensors.
    """

    path: str
    tag: str
    c_in: int | None
    c_out: int | None
    told: Mapping[str, Told] = field(default_factory=dict)
    parts: Mapping[str, Any] = field(default_factory=dict)
    params: int | None = None
    first: Seen | None = None

    @property
    def unread(self) -> list[Unread]:
        """Everything below it that is not understood."""
        return [found for part in self.parts.values() for found in unread_of(part)]


@dataclass(frozen=True, slots=True)
class Unread:
    """Tensors that no kind of node owns.

    Args:
        path: where they stand.
        first: the first of them; None where there are none, and some are needed.
    """

    path: str
    first: Seen | None

    @classmethod
    def of(cls, view: View) -> Unread:
        """All that is in `view`."""
        return cls(view.path, view.first)


Place = tuple[Reading, ...] | Unread
"""What may stand at one place of a row: readings that agree on their channels, none for a layer without tensors."""


@dataclass(frozen=True, slots=True)
class Row:
    """Blocks in a row, from the first to the last that has tensors.

    Args:
        path: its path.
        c_in: channels that it takes, c_out: that it gives; None where it has no tensors, or they are not understood.
        places: what may stand at each place.
    """

    path: str
    c_in: int | None
    c_out: int | None
    places: tuple[Place, ...]

    @property
    def unread(self) -> list[Unread]:
        """Everything in it, however deep, that is not understood."""
        firsts = [place if isinstance(place, Unread) else place[0] for place in self.places if place]
        return unread_of(tuple(firsts))


def unread_of(part: Reading | Row | Unread | tuple[Reading | Unread, ...] | None) -> list[Unread]:
    """Everything in a part of a reading, however deep, that is not understood."""
    if isinstance(part, Unread):
        return [part]
    if isinstance(part, tuple):
        return [found for each in part for found in unread_of(each)]
    return part.unread if part is not None else []


_Tree = dict[str, Any]


class View:
    """The tensors below a path, by their names there."""

    __slots__ = ("_tree", "path")

    def __init__(self, path: str, tree: _Tree) -> None:
        self.path = path
        self._tree = tree

    @classmethod
    def of(cls, tensors: Mapping[str, Seen]) -> View:
        """The view of a whole checkpoint.

        Raises:
            CheckpointError: its keys are no paths of a tree.
        """
        root: _Tree = {}
        parents: dict[str, _Tree] = {}
        for key, seen in tensors.items():
            path, dot, name = key.rpartition(".")
            parent = parents.get(path) if dot else root
            if parent is None:
                parent = parents[path] = _parent(root, path, seen)
            if name in parent:
                raise CheckpointError("E-infer", printable(seen.key), "a tensor, and the path of others")
            parent[name] = seen
        return cls("", root)

    def __bool__(self) -> bool:
        return bool(self._tree)

    def seen(self, name: str) -> Seen | None:
        """The tensor `name` (which may have dots), if there is one."""
        found: Any = self._tree
        for segment in name.split("."):
            found = found.get(segment) if isinstance(found, dict) else None
        return found if isinstance(found, Seen) else None

    def dims(self, name: str, count: int) -> tuple[int, ...] | None:
        """The shape of the tensor `name`, if it has `count` dimensions and none is empty."""
        seen = self.seen(name)
        return seen.shape if seen and len(seen.shape) == count and all(seen.shape) else None

    def told(self, value: Any, name: str) -> Told:
        """`value`, as the tensor `name` says."""
        return Told(value, self.seen(name))

    def below(self, name: str) -> View:
        """What is below `name`; empty where nothing is."""
        found: Any = self._tree
        for segment in name.split("."):
            found = found.get(segment) if isinstance(found, dict) else None
        return View(join(self.path, name), found if isinstance(found, dict) else {})

    @property
    def children(self) -> list[str]:
        """The first segments of the names, in order."""
        return list(self._tree)

    @property
    def first(self) -> Seen | None:
        """The first tensor here."""
        found: _Tree | Seen | None = self._tree
        while isinstance(found, dict):
            found = next(iter(found.values()), None)
        return found

    def holds(self, tensors: Mapping[str, TensorPlan]) -> bool:
        """Whether these tensors, and no others, are here; coding tables may have any length."""
        return _num_held(self._tree, "", tensors) == len(tensors)

    def indexes(self) -> list[int] | None:
        """The numbers that its children are named with, or None where one has another name."""
        if not all(name.isascii() and name.isdigit() and name == str(int(name[:9])) for name in self._tree):
            return None
        return sorted(int(name) for name in self._tree)


def _parent(root: _Tree, path: str, seen: Seen) -> _Tree:
    """The tree at `path`, which the tensor `seen` goes into; made where it is not there."""
    segments = path.split(".")
    if len(segments) >= MAX_SEGMENTS:
        message = f"a key of {len(segments) + 1} segments; a model's have at most {MAX_SEGMENTS}"
        raise CheckpointError("E-infer", printable(seen.key), message)
    tree = root
    for segment in segments:
        below = tree.setdefault(segment, {})
        if isinstance(below, Seen):
            message = f"{printable(below.key)} is a tensor, and this key goes below it"
            raise CheckpointError("E-infer", printable(seen.key), message)
        tree = below
    return tree


def _num_held(tree: _Tree, prefix: str, tensors: Mapping[str, TensorPlan]) -> int:
    """How many tensors are in `tree`; -1 where one is none of `tensors`."""
    held = 0
    for name, found in tree.items():
        if isinstance(found, Seen):
            want = tensors.get(prefix + name)
            below = 1 if want is not None and (want.role == "table" or want.shape == found.shape) else -1
        else:
            below = _num_held(found, f"{prefix}{name}.", tensors)
        if below < 0:
            return -1
        held += below
    return held
