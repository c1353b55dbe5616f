"""The opcodes of pickles: those of state dicts and of what lies beside them, each a step of a stack machine's."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any

from codecspec.compiler.checkpoints.damaged import DamagedError, RefusedError, checked_key, printable

DAMAGED = "its pickle is damaged"

_u4 = struct.Struct("<I").unpack_from
_i4 = struct.Struct("<i").unpack_from
_f8 = struct.Struct(">d").unpack_from

REFUSED = {
    0x50: "PERSID",
    0x69: "INST",
    0x6F: "OBJ",
    0x82: "EXT1",
    0x83: "EXT2",
    0x84: "EXT4",
    0x92: "NEWOBJ_EX",
}
"""The opcodes by which pickles name or make things that are refused here, for messages."""


class Name:
    """What a pickle names: inert, unless `make` says what calling it gives."""

    __slots__ = ("dtype", "make", "name")

    def __init__(self, name: str, make: Callable[[tuple[Any, ...]], object] | None = None, dtype: str = "") -> None:
        self.name = name
        self.make = make
        self.dtype = dtype


class Opaque:
    """Something that is no tensor and no container, and of which only the name is known."""

    __slots__ = ("what",)

    def __init__(self, what: str) -> None:
        self.what = what


class PickleEndsError(Exception):
    """The bytes end before the pickle does."""


class PickleState:
    """Where reading a pickle stands.

    Args:
        data: the bytes.
        names: what pickles may name.
    """

    def __init__(self, data: bytes, names: Mapping[str, Name]) -> None:
        self.data = data
        self.names = names
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def bytes_at(self, start: int, end: int) -> bytes:
        """The bytes from `start` to `end`.

        Raises:
            PickleEndsError: there are not so many.
        """
        if end > len(self.data):
            raise PickleEndsError
        return self.data[start:end]

    def text_at(self, start: int, end: int) -> str:
        """The text that the bytes from `start` to `end` spell."""
        return self.bytes_at(start, end).decode()

    def items(self) -> list[Any]:
        """What lies above the last mark, taken off the stack."""
        at = self.marks.pop()
        items = self.stack[at:]
        del self.stack[at:]
        return items

    def name(self, name: str) -> None:
        """Put what a name stands for on the stack.

        Raises:
            RefusedError: it stands for nothing.
        """
        found = self.names.get(name)
        if found is None:
            raise RefusedError(f"it names {printable(name)}, which no state dict needs; nothing in it was run")
        self.stack.append(found)


def rare_opcode(state: PickleState, opcode: int, position: int) -> int:
    """Do one opcode, whose argument is at `position`; the position after it.

    Raises:
        RefusedError: it makes things by name.
        DamagedError: there is no such opcode, or it makes no sense here.
    """
    operation = OPERATIONS.get(opcode)
    if operation is not None:
        return operation(state, position)
    if opcode in REFUSED:
        raise RefusedError(f"it uses the opcode {REFUSED[opcode]}, which no state dict needs")
    raise DamagedError(DAMAGED)


def _protocol(state: PickleState, position: int) -> int:
    if not 2 <= state.data[position] <= 5:
        raise DamagedError(f"its pickle is of protocol {state.data[position]}; 2 to 5 are read")
    return position + 1


def _frame(state: PickleState, position: int) -> int:
    return position + 8


def _long_get(state: PickleState, position: int) -> int:
    state.stack.append(state.memo[_u4(state.data, position)[0]])
    return position + 4


def _integer(state: PickleState, position: int) -> int:
    state.stack.append(_i4(state.data, position)[0])
    return position + 4


def _long(state: PickleState, position: int) -> int:
    end = position + 1 + state.data[position]
    state.stack.append(int.from_bytes(state.bytes_at(position + 1, end), "little", signed=True))
    return end


def _float(state: PickleState, position: int) -> int:
    state.stack.append(_f8(state.data, position)[0])
    return position + 8


def _short_text(state: PickleState, position: int) -> int:
    end = position + 1 + state.data[position]
    state.stack.append(state.text_at(position + 1, end))
    return end


def _short_bytes(state: PickleState, position: int) -> int:
    end = position + 1 + state.data[position]
    state.stack.append(state.bytes_at(position + 1, end))
    return end


def _long_bytes(state: PickleState, position: int) -> int:
    end: int = position + 4 + _u4(state.data, position)[0]
    state.stack.append(state.bytes_at(position + 4, end))
    return end


def _bytearray(state: PickleState, position: int) -> int:
    end = position + 8 + int.from_bytes(state.bytes_at(position, position + 8), "little")
    state.stack.append(state.bytes_at(position + 8, end))
    return end


def _short_string(state: PickleState, position: int) -> int:
    position = _short_bytes(state, position)
    state.stack[-1] = state.stack[-1].decode("latin-1")
    return position


def _long_string(state: PickleState, position: int) -> int:
    position = _long_bytes(state, position)
    state.stack[-1] = state.stack[-1].decode("latin-1")
    return position


def _list(state: PickleState, position: int) -> int:
    state.stack.append([])
    return position


def _dict(state: PickleState, position: int) -> int:
    state.stack.append({})
    return position


def _append(state: PickleState, position: int) -> int:
    item = state.stack.pop()
    _extend(state, [item])
    return position


def _appends(state: PickleState, position: int) -> int:
    _extend(state, state.items())
    return position


def _extend(state: PickleState, items: list[Any]) -> None:
    if type(state.stack[-1]) is not list:
        raise DamagedError(DAMAGED)
    state.stack[-1].extend(items)


def _frozen(state: PickleState, position: int) -> int:
    state.stack.append(state.items())
    return position


def _set_item(state: PickleState, position: int) -> int:
    value = state.stack.pop()
    _update(state, [state.stack.pop(), value])
    return position


def _set_items(state: PickleState, position: int) -> int:
    _update(state, state.items())
    return position


def _update(state: PickleState, items: list[Any]) -> None:
    target = state.stack[-1]
    if type(target) is not dict or len(items) % 2:
        raise DamagedError(DAMAGED)
    for key, value in zip(items[::2], items[1::2], strict=True):
        name = checked_key(key) if type(key) is str else _key(key)
        if name in target:
            raise DamagedError(f"a mapping in it has the key {printable(name)} twice")
        target[name] = value


def _tuple2(state: PickleState, position: int) -> int:
    state.stack[-2:] = ((state.stack[-2], state.stack[-1]),)
    return position


def _tuple3(state: PickleState, position: int) -> int:
    state.stack[-3:] = ((state.stack[-3], state.stack[-2], state.stack[-1]),)
    return position


def _pop(state: PickleState, position: int) -> int:
    state.stack.pop()
    return position


def _pop_mark(state: PickleState, position: int) -> int:
    state.items()
    return position


def _global(state: PickleState, position: int) -> int:
    middle = state.data.find(b"\n", position)
    end: int = state.data.find(b"\n", middle + 1)
    if middle < 0 or end < 0:
        raise PickleEndsError
    state.name(f"{state.text_at(position, middle)}.{state.text_at(middle + 1, end)}")
    return end + 1


def _stack_global(state: PickleState, position: int) -> int:
    name = state.stack.pop()
    module = state.stack.pop()
    if type(name) is not str or type(module) is not str:
        raise DamagedError(DAMAGED)
    state.name(f"{module}.{name}")
    return position


def _new_object(state: PickleState, position: int) -> int:
    arguments = state.stack.pop()
    state.stack[-1] = state.stack[-1].make(arguments)
    return position


def _build(state: PickleState, position: int) -> int:
    """What an object is to be given beside what it was made of: the metadata of a state dict, say. Left out."""
    state.stack.pop()
    if type(state.stack[-1]) in (Name, list, tuple):
        raise DamagedError(DAMAGED)
    return position


def _key(key: object) -> str:
    """A key as text. Other keys than text are of what lies beside a state dict."""
    if key is None or type(key) in (float, bool) or (type(key) is int and key.bit_length() <= 64):
        return str(key)
    raise DamagedError(f"a mapping in it has a {type(key).__name__} as a key")


def _push(value: object) -> Callable[[PickleState, int], int]:
    def push(state: PickleState, position: int) -> int:
        state.stack.append(value)
        return position

    return push


OPERATIONS: dict[int, Callable[[PickleState, int], int]] = {
    ord("N"): _push(None),
    ord(")"): _push(()),
    0x88: _push(True),
    0x89: _push(False),
    0x80: _protocol,
    0x95: _frame,
    ord("j"): _long_get,
    ord("J"): _integer,
    0x8A: _long,
    ord("G"): _float,
    0x8C: _short_text,
    ord("C"): _short_bytes,
    ord("B"): _long_bytes,
    0x96: _bytearray,
    ord("U"): _short_string,
    ord("T"): _long_string,
    ord("]"): _list,
    0x8F: _list,
    ord("}"): _dict,
    ord("a"): _append,
    ord("e"): _appends,
    0x90: _appends,
    0x91: _frozen,
    ord("s"): _set_item,
    ord("u"): _set_items,
    0x86: _tuple2,
    0x87: _tuple3,
    ord("0"): _pop,
    ord("1"): _pop_mark,
    ord("c"): _global,
    0x93: _stack_global,
    0x81: _new_object,
    ord("b"): _build,
}
