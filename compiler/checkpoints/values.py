"""The values of tensors in files: a small one as a numpy array, all of them as torch tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from codecspec.compiler.checkpoints.byte_source import ByteSource
from codecspec.compiler.checkpoints.damaged import DamagedError, printable
from codecspec.compiler.checkpoints.dtypes import ITEM_BYTES, NOT_IN_NUMPY, SWAPPED_BYTES
from codecspec.compiler.checkpoints.manifest import MAX_VALUE_BYTES, Values
from codecspec.compiler.checkpoints.stored_tensors import Storage, StoredTensor
from codecspec.schema.errors import CheckpointError

if TYPE_CHECKING:
    import numpy
    import torch
    from torch import Tensor


class StoredValues(Values):
    """The values of tensors that lie in one file or several."""

    def __init__(self, tensors: Mapping[str, StoredTensor]) -> None:
        self._tensors = tensors

    def one(self, key: str) -> numpy.ndarray[Any, Any]:
        """The values of one tensor; what lies between them, if it has strides, may not be much either."""
        import numpy as np

        tensor = self._tensors[key]
        size = ITEM_BYTES[tensor.dtype]
        where = f"{tensor.storage.source.name}#{printable(key)}"
        if tensor.span * size > MAX_VALUE_BYTES:
            message = f"its values are spread over {tensor.span * size:,} bytes, more than are read one by one"
            raise CheckpointError("E-checkpoint", where, message)
        if tensor.dtype in NOT_IN_NUMPY:
            raise CheckpointError("E-checkpoint", where, f"numpy has no {tensor.dtype}")
        try:
            start = tensor.storage.start() + tensor.offset * size
            raw = tensor.storage.source.read(start, tensor.span * size)
        except DamagedError as error:
            raise CheckpointError("E-checkpoint", where, str(error)) from error
        finally:
            tensor.storage.source.close()
        flat = np.frombuffer(raw, np.dtype("uint16" if tensor.dtype == "bfloat16" else tensor.dtype))
        flat = flat.byteswap() if tensor.storage.space.swapped else flat
        strides = [stride * size for stride in tensor.strides]
        found = np.lib.stride_tricks.as_strided(flat, tensor.shape, strides).copy()
        return (found.astype(np.uint32) << 16).view(np.float32) if tensor.dtype == "bfloat16" else found

    def all(self) -> dict[str, Tensor]:
        """All tensors; each storage is read or mapped once."""
        import torch

        mapped: dict[str, torch.UntypedStorage] = {}
        storages: dict[int, torch.UntypedStorage] = {}
        result: dict[str, Tensor] = {}
        sources: set[ByteSource] = set()
        try:
            for key, tensor in self._tensors.items():
                sources.add(tensor.storage.source)
                place = id(tensor.storage)
                if place not in storages:
                    storages[place] = _storage(tensor.storage, mapped)
                dtype = getattr(torch, tensor.dtype)
                empty = torch.empty(0, dtype=dtype)
                result[key] = empty.set_(storages[place], tensor.offset, tensor.shape, tensor.strides)
        except CheckpointError:
            raise
        except (DamagedError, RuntimeError) as error:  # torch's own: there is no memory, a file cannot be mapped
            where = f"{tensor.storage.source.name}#{printable(key)}"
            raise CheckpointError("E-checkpoint", where, str(error)) from error
        finally:
            for source in sources:
                source.close()
        return result


def _storage(storage: Storage, mapped: dict[str, torch.UntypedStorage]) -> torch.UntypedStorage:
    """The bytes of a storage: mapped where they lie in a local file as torch wants them, otherwise read."""
    import torch

    source, start, nbytes = storage.source, storage.start(), storage.nbytes
    aligned = start % (8 if storage.dtype == "uint8" else ITEM_BYTES[storage.dtype]) == 0  # bytes may be of any type
    if source.path is not None and aligned and nbytes and not storage.space.swapped:
        if source.path not in mapped:
            source.read(start, 1)  # that it is still the same file
            whole = torch.from_file(source.path, shared=False, size=source.size, dtype=torch.uint8)
            mapped[source.path] = whole.untyped_storage()
        part: torch.UntypedStorage = mapped[source.path][start : start + nbytes]
        return part
    raw = bytearray(source.read(start, nbytes))
    if storage.space.swapped:
        width = SWAPPED_BYTES.get(storage.dtype, ITEM_BYTES[storage.dtype])
        raw[:] = b"".join(raw[at : at + width][::-1] for at in range(0, nbytes, width))
    buffer = torch.frombuffer(raw, dtype=torch.uint8) if raw else torch.empty(0, dtype=torch.uint8)
    return buffer.untyped_storage()


class GivenValues(Values):
    """The values of tensors that somebody hands over in a mapping."""

    def __init__(self, tensors: Mapping[str, Any], name: str) -> None:
        self._tensors = tensors
        self._name = name

    def one(self, key: str) -> numpy.ndarray[Any, Any]:
        import numpy as np

        value = self._tensors[key]
        try:
            if hasattr(value, "detach"):
                value = value.detach().cpu()
                value = value.float() if str(value.dtype) == "torch.bfloat16" else value
                return np.array(value.numpy())
            if not hasattr(value, "__array__"):
                raise TypeError("it has none")
            return np.array(value)
        except (RuntimeError, TypeError, NotImplementedError) as error:
            message = f"its values cannot be had: {error}"
            raise CheckpointError("E-checkpoint", f"{self._name}#{printable(key)}", message) from error

    def all(self) -> dict[str, Tensor]:
        import torch

        for key, value in self._tensors.items():
            if not isinstance(value, torch.Tensor):
                message = f"a {type(value).__name__}, and no tensor"
                raise CheckpointError("E-checkpoint", f"{self._name}#{printable(key)}", message)
        return dict(self._tensors)
