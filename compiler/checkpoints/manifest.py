"""The manifest of a checkpoint: every key with its type and shape, and where its values can be had."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from codecspec.compiler.checkpoints.damaged import printable
from codecspec.compiler.checkpoints.dtypes import ITEM_BYTES
from codecspec.compiler.checkpoints.stored_tensors import elements
from codecspec.schema.errors import CheckpointError

if TYPE_CHECKING:
    import numpy
    from torch import Tensor

MAX_VALUE_BYTES = 1 << 16

Format = Literal["safetensors", "zip", "legacy", "sharded", "directory", "mapping"]


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """A tensor without its values.

    Args:
        dtype: as torch spells it, without `torch.`: `float32`.
        shape: its sizes.
    """

    dtype: str
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        """How many numbers it has."""
        return elements(self.shape)

    @property
    def nbytes(self) -> int:
        """How many bytes they take, one by one."""
        return self.elements * ITEM_BYTES.get(self.dtype, 0)


class Values(ABC):
    """What hands out the values of a manifest's tensors."""

    @abstractmethod
    def one(self, key: str) -> numpy.ndarray[Any, Any]:
        """The values of one small tensor."""

    @abstractmethod
    def all(self) -> dict[str, Tensor]:
        """All tensors."""


class Manifest(Mapping[str, TensorInfo]):
    """What tensors a checkpoint has: key -> type and shape, in the file's order, out of whatever wraps them.

    Args:
        infos: the tensors.
        values: where their values are.
        source: path or name, for messages.
        format: what kind of file it is.
        unwrapped: what was taken off, in words.
        state_dicts: the names of all state dicts that it holds, dotted paths; empty where nothing wraps the only one.
        metadata: what a safetensors file says beside; empty for others.
    """

    def __init__(
        self,
        infos: dict[str, TensorInfo],
        values: Values,
        source: str,
        format: Format,
        unwrapped: tuple[str, ...] = (),
        state_dicts: tuple[str, ...] = (),
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self._infos = infos
        self._values = values
        self.source = source
        self.format: Format = format
        self.unwrapped = unwrapped
        self.state_dicts = state_dicts
        self.metadata: Mapping[str, str] = metadata or {}

    def __getitem__(self, key: str) -> TensorInfo:
        return self._infos[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._infos)

    def __len__(self) -> int:
        return len(self._infos)

    def __repr__(self) -> str:
        return f"Manifest({self.source!r}, {self.format}, {len(self)} tensors)"

    def with_tensors(self, infos: dict[str, TensorInfo], values: Values) -> Manifest:
        """What else is known of the same file, of these tensors in place of its own."""
        other = copy(self)
        other._infos, other._values = infos, values
        return other

    @property
    def nbytes(self) -> int:
        """The bytes of all tensors' values, those that share memory counted each."""
        return sum(info.nbytes for info in self._infos.values())

    def values_of(self, key: str) -> numpy.ndarray[Any, Any]:
        """The values of one small tensor (64 KiB at most), read now; bfloat16 as float32, which numpy has.

        Raises:
            KeyError: there is no such tensor.
            CheckpointError: it is larger, the file cannot be read, or numpy has no such type.
        """
        info = self._infos[key]
        if info.nbytes > MAX_VALUE_BYTES:
            message = (
                f"its values take {info.nbytes:,} bytes, and {MAX_VALUE_BYTES:,} is the most that is read one by one"
            )
            raise CheckpointError("E-checkpoint", f"{self.source}#{printable(key)}", message)
        return self._values.one(key)

    def tensors(self) -> dict[str, Tensor]:
        """All tensors, from a local file memory-mapped (changes stay in memory); those that share memory there do here.

        Raises:
            CheckpointError: the file cannot be read, or changed since.
        """
        return self._values.all()
