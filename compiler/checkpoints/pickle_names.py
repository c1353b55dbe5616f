"""What pickles of checkpoints may name, and what each name makes here: records of tensors, and otherwise nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from codecspec.compiler.checkpoints.damaged import DamagedError, checked_key
from codecspec.compiler.checkpoints.dtypes import ITEM_BYTES, OF_STORAGE
from codecspec.compiler.checkpoints.pickle_opcodes import Name, Opaque
from codecspec.compiler.checkpoints.stored_tensors import Storage, StoredTensor, checked_view


def _rebuild_tensor(arguments: tuple[Any, ...]) -> StoredTensor:
    """`(storage, offset, size, stride, ..)`; the rest says how to train it."""
    _require(arguments, 4)
    storage = arguments[0]
    return checked_view(storage, storage.dtype, arguments[2], arguments[3], arguments[1])


def _rebuild_tensor_v3(arguments: tuple[Any, ...]) -> StoredTensor:
    """`(storage, offset, size, stride, requires_grad, hooks, dtype, ..)`, of the types that no storage has."""
    _require(arguments, 7)
    kind = arguments[6]
    if type(kind) is not Name or not kind.dtype:
        raise DamagedError("a tensor in it has no type")
    return checked_view(arguments[0], kind.dtype, arguments[2], arguments[3], arguments[1])


def _require(arguments: tuple[Any, ...], count: int) -> None:
    """Refuse arguments of a tensor that are not that many, the first one a storage."""
    if len(arguments) < count or type(arguments[0]) is not Storage:
        raise DamagedError("a tensor in it has no storage, offset, shape and strides")


def _rebuild_parameter(arguments: tuple[Any, ...]) -> StoredTensor:
    """`(tensor, requires_grad, hooks, ..)`."""
    tensor = arguments[0] if arguments else None
    if type(tensor) is not StoredTensor:
        raise DamagedError("a parameter in it is no tensor")
    return tensor


def _rebuild_from_type(arguments: tuple[Any, ...]) -> object:
    """`(function, type, arguments, state)`, of a tensor that somebody gave attributes."""
    function, inner = (arguments[0], arguments[2]) if len(arguments) > 2 else (None, None)
    if type(function) is not Name or type(inner) is not tuple:
        raise DamagedError("a tensor in it is rebuilt by nothing")
    if function.make is None or function.make is _rebuild_from_type:
        raise DamagedError(f"a tensor in it is rebuilt by {function.name}")
    return function.make(inner)


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
