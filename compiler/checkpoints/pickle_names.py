"""What pickles of checkpoints may name, and what each name makes here: records of tensors, and otherwise nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from codecspec.compiler.checkpoints.damaged import DamagedError, checked_key
from codecspec.compiler.checkpoints.dtypes import ITEM_BYTES, OF_STORAGE
from codecspec.compiler.checkpoints.pickle_machine import Name, Opaque
from codecspec.compiler.checkpoints.stored_tensors import Storage, StoredTensor, checked_view


class StoragePart:
    """What a persistent id stands for: a storage, or (in old files) some of its numbers."""

    __slots__ = ("offset", "storage")

    def __init__(self, storage: Storage, offset: int = 0) -> None:
        self.storage = storage
        self.offset = offset


def _rebuild_tensor(arguments: tuple[Any, ...]) -> StoredTensor:
    """`(storage, offset, size, stride, ..)`; the rest says how to train it."""
    _require(arguments, 4)
    part, offset, shape, strides = arguments[:4]
    return _view(part, part.storage.dtype if type(part) is StoragePart else "", offset, shape, strides)


def _rebuild_tensor_v3(arguments: tuple[Any, ...]) -> StoredTensor:
    """`(storage, offset, size, stride, requires_grad, hooks, dtype, ..)`, of the types that no storage has."""
    _require(arguments, 7)
    part, offset, shape, strides, _, _, kind = arguments[:7]
    return _view(part, kind.dtype if type(kind) is Name else "", offset, shape, strides)


def _require(arguments: tuple[Any, ...], count: int) -> None:
    if len(arguments) < count:
        raise DamagedError("a tensor in it is rebuilt from too little")


def _view(part: StoragePart, dtype: str, offset: object, shape: object, strides: object) -> StoredTensor:
    if type(part) is not StoragePart or not dtype:
        raise DamagedError("a tensor in it has no storage, or no type")
    if part.offset and type(offset) is int:
        offset += part.offset
    return checked_view(part.storage, dtype, shape, strides, offset)


def _rebuild_parameter(arguments: tuple[Any, ...]) -> StoredTensor:
    """`(tensor, requires_grad, hooks, ..)`."""
    _require(arguments, 1)
    tensor = arguments[0]
    if type(tensor) is not StoredTensor:
        raise DamagedError("a parameter in it is no tensor")
    return tensor


def _rebuild_from_type(arguments: tuple[Any, ...]) -> object:
    """`(function, type, arguments, state)`, of a tensor that somebody gave attributes."""
    _require(arguments, 3)
    function, _, inner = arguments[:3]
    make = function.make if type(function) is Name and type(inner) is tuple else None
    if make is None or make is _rebuild_from_type:
        raise DamagedError("a tensor in it is rebuilt by nothing that rebuilds tensors")
    return make(inner)


def _mapping(arguments: tuple[Any, ...]) -> dict[str, Any]:
    """An OrderedDict: empty, filled by what follows; or of pairs, as Python 2 wrote it."""
    result: dict[str, Any] = {}
    for pair in arguments[0] if arguments else ():
        key, value = pair
        if type(key) is not str or key in result:
            raise DamagedError("a mapping in it has keys that are no text, or one twice")
        result[checked_key(key)] = value
    return result


def _inert(*names: str) -> dict[str, Name]:
    return {name: Name(name, _makes_opaque(name)) for name in names}


def _makes_opaque(name: str) -> Callable[[tuple[Any, ...]], object]:
    return lambda _: Opaque(name)


ARRAYS = [f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("scalar", "_reconstruct")]

NAMES: dict[str, Name] = {
    **{f"torch.{name}": Name(name, dtype=dtype) for name, dtype in OF_STORAGE.items()},
    **{f"torch.storage.{name}": Name(name, dtype=dtype) for name, dtype in OF_STORAGE.items()},
    **{f"torch.{name}": Name(name, dtype=name) for name in ITEM_BYTES},
    "torch._utils._rebuild_tensor": Name("_rebuild_tensor", _rebuild_tensor),
    "torch._utils._rebuild_tensor_v2": Name("_rebuild_tensor_v2", _rebuild_tensor),
    "torch._utils._rebuild_tensor_v3": Name("_rebuild_tensor_v3", _rebuild_tensor_v3),
    "torch._utils._rebuild_parameter": Name("_rebuild_parameter", _rebuild_parameter),
    "torch._utils._rebuild_parameter_with_state": Name("_rebuild_parameter_with_state", _rebuild_parameter),
    "torch._tensor._rebuild_from_type_v2": Name("_rebuild_from_type_v2", _rebuild_from_type),
    "torch.nn.parameter.Parameter": Name("Parameter", _rebuild_parameter),
    "torch.Tensor": Name("Tensor"),
    "collections.OrderedDict": Name("OrderedDict", _mapping),
    **_inert("torch.Size", "torch.device", "collections.Counter", "_codecs.encode"),
    **_inert(
        *(f"{module}.{name}" for module in ("builtins", "__builtin__") for name in ("set", "complex", "bytearray"))
    ),
    **_inert("numpy.dtype", "numpy.ndarray", *ARRAYS),
}
