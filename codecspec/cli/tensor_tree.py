"""The keys of a checkpoint as a tree: each level of the dots a group, with what is in it counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

from codecspec.compiler.checkpoints import Manifest, TensorInfo
from codecspec.schema.errors import listed


@dataclass(slots=True)
class Group:
    """Tensors under one prefix, or one tensor.

    Args:
        info: the tensor, where it is one.
        children: step of the key -> what is below.
    """

    info: TensorInfo | None = None
    children: dict[str, Group] = field(default_factory=dict)
    tensors: int = 0
    elements: int = 0
    nbytes: int = 0
    dtypes: dict[str, int] = field(default_factory=dict)

    @property
    def said(self) -> str:
        """The type and shape of a tensor; the types in a group."""
        if self.info is not None:
            return f"{self.info.dtype} [{listed(map(str, self.info.shape)) if self.info.shape else ''}]"
        return listed(sorted(self.dtypes, key=self.dtypes.__getitem__, reverse=True))

    def count(self, dtype: str, elements: int, nbytes: int) -> None:
        """Add a tensor to what is counted here."""
        self.tensors += 1
        self.elements += elements
        self.nbytes += nbytes
        self.dtypes[dtype] = self.dtypes.get(dtype, 0) + 1

    def rows(self, depth: int, level: int = 0) -> Iterator[tuple[int, str, Group]]:
        """Level, name and group of all that is shown, down to `depth` levels; a group of one group is one with it."""
        steps = list(self.children.items())
        if all(step.isdecimal() for step in self.children):  # safetensors sorts them as text
            steps.sort(key=lambda item: int(item[0]))
        for step, child in steps:
            name, group = child._only(step)
            yield level, name, group
            if level + 1 < depth:
                yield from group.rows(depth, level + 1)

    def _only(self, name: str) -> tuple[str, Self | Group]:
        """This group, or the one that is all there is in it."""
        group: Self | Group = self
        while group.info is None and len(group.children) == 1:
            step, group = next(iter(group.children.items()))
            name = f"{name}.{step}"
        return name, group


MAX_LEVELS = 32
"""A key of more steps keeps the rest of them in one; no module is so deep, and a file may say anything."""


def tree_of(manifest: Manifest) -> Group:
    """The tree of all keys of a manifest."""
    root = Group()
    for key, info in manifest.items():
        elements, nbytes = info.elements, info.nbytes
        group = root
        group.count(info.dtype, elements, nbytes)
        for step in key.split(".", MAX_LEVELS):
            if step not in group.children:
                group.children[step] = Group()
            group = group.children[step]
            group.count(info.dtype, elements, nbytes)
        group.info = info
    return root
