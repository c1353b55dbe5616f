"""Tensors as a file describes them: which numbers of which storage. Nothing of it is trusted before it is checked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from codecspec.compiler.checkpoints.damaged import DamagedError
from codecspec.compiler.checkpoints.dtypes import ITEM_BYTES

if TYPE_CHECKING:
    from codecspec.compiler.checkpoints.byte_source import ByteSource

MAX_DIMENSIONS = 16
MAX_ELEMENTS = 1 << 48
"""Of a tensor, and of what lies between its first number and its last: more than any memory holds."""


class StorageSpace(ABC):
    """All storages of a file.

    Args:
        source: what they are read from.
        swapped: their numbers have their bytes in the other order than this machine's.
    """

    def __init__(self, source: ByteSource, swapped: bool) -> None:
        self.source = source
        self.swapped = swapped

    @abstractmethod
    def start_of(self, key: str) -> int:
        """The place of a storage's first byte in the source; asked when its bytes are needed, not before.

        Raises:
            DamagedError: it is not where the file says.
            CheckpointError: the file cannot be read.
        """


class Storage:
    """A run of bytes in a file that tensors are views of.

    Args:
        space: the file's storages.
        key: what the file calls this one.
        dtype: the type that the file gives it.
        nbytes: its size.
        skipped: bytes before its first, where it is a part of the storage of that key.
    """

    __slots__ = ("dtype", "key", "nbytes", "skipped", "space")

    def __init__(self, space: StorageSpace, key: str, dtype: str, nbytes: int, skipped: int = 0) -> None:
        self.space = space
        self.key = key
        self.dtype = dtype
        self.nbytes = nbytes
        self.skipped = skipped

    @property
    def source(self) -> ByteSource:
        """What it is read from."""
        return self.space.source

    def start(self) -> int:
        """The place of its first byte in the source; see `StorageSpace.start_of`."""
        return self.space.start_of(self.key) + self.skipped


class StoredTensor:
    """A view of a storage: its shape, and offset and strides in numbers (not bytes)."""

    __slots__ = ("dtype", "offset", "shape", "storage", "strides")

    def __init__(
        self, storage: Storage, dtype: str, shape: tuple[int, ...], strides: tuple[int, ...], offset: int
    ) -> None:
        self.storage = storage
        self.dtype = dtype
        self.shape = shape
        self.strides = strides
        self.offset = offset

    @property
    def span(self) -> int:
        """How many numbers of the storage lie between its first and its last, both included."""
        if 0 in self.shape:
            return 0
        return 1 + sum((size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True))

    @property
    def nbytes(self) -> int:
        """The bytes of its values, each counted however often it occurs."""
        return elements(self.shape) * ITEM_BYTES[self.dtype]


def elements(shape: tuple[int, ...]) -> int:
    """The numbers in a tensor of this shape."""
    count = 1
    for size in shape:
        count *= size
    return count


def contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of a tensor whose numbers lie one after the other."""
    strides = []
    step = 1
    for size in reversed(shape):
        strides.append(step)
        step *= size or 1
    return tuple(reversed(strides))


def checked_view(storage: Storage, dtype: str, shape: Any, strides: Any, offset: Any) -> StoredTensor:
    """The view that a file describes.

    Raises:
        DamagedError: it is no view of that storage; the message says why.
    """
    if type(shape) is not tuple or type(strides) is not tuple or type(offset) is not int:
        raise DamagedError("a tensor in it has a shape, strides or an offset that are no whole numbers")
    if len(shape) != len(strides) or len(shape) > MAX_DIMENSIONS:
        raise DamagedError(f"a tensor in it has {len(shape)} sizes and {len(strides)} strides")
    count = span = 1
    for size, stride in zip(shape, strides, strict=True):
        if type(size) is not int or type(stride) is not int or size < 0 or stride < 0:
            raise DamagedError("a tensor in it has sizes or strides that are not whole numbers from 0 on")
        count *= size
        span += (size - 1) * stride
        if count > MAX_ELEMENTS or span > MAX_ELEMENTS:  # now, not after the product of numbers of any size
            raise DamagedError(f"a tensor in it would have more than {MAX_ELEMENTS:,} numbers")
    end = (offset + span) * ITEM_BYTES[dtype]
    if not 0 <= offset <= MAX_ELEMENTS or (count and end > storage.nbytes):
        raise DamagedError(f"a tensor in it reaches to byte {end:,} of a storage of {storage.nbytes:,}")
    return StoredTensor(storage, dtype, shape, strides, offset)
