"""Pickles read as data: a machine of its own for the opcodes that state dicts are made of.

Python's unpickler, even with every name refused, is not safe on hostile files: one memo opcode of six bytes makes it
allocate 64 GB, a deeply nested tuple as a key overflows the C stack, and a tuple that holds itself twice, sixty levels
deep, is hashed for years. This machine calls nothing, imports nothing and hashes only strings; what it costs is bounded
by the opcodes that it takes, and those by `MAX_OPCODES`.

What comes out are lists (sets too), tuples, dicts with text as keys, numbers, text, bytes, and what `Names` makes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from operator import length_hint
from typing import Any

from codecspec.compiler.checkpoints.damaged import DamagedError, RefusedError, checked_key, printable
from codecspec.schema.errors import CheckpointError

MAX_OPCODES = 1_000_000
"""A tensor takes some 40: enough for 24,000 of them, and what any pickle of so many can cost is a second."""

LONGEST_ARGUMENT = 8
"""Bytes of an opcode's argument of fixed length."""
DAMAGED = "its pickle is damaged"

_u2 = struct.Struct("<H").unpack_from
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


class PickleMachine:
    """Reads one pickle after another out of bytes.

    Args:
        data: the bytes.
        where: what they are, for messages.
        names: what pickles may name.
        persistent: what a persistent id stands for; raises DamagedError for one that stands for nothing.
    """

    def __init__(
        self,
        data: bytes,
        where: str,
        names: Mapping[str, Name],
        persistent: Callable[[object], object],
    ) -> None:
        self.data = data
        self.where = where
        self.names = names
        self.persistent = persistent
        self.position = 0
        self.budget = MAX_OPCODES
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def load(self) -> Any:
        """The next pickle's object.

        Raises:
            PickleEndsError: the bytes end first.
            CheckpointError: it holds something that is refused, or is damaged.
        """
        self.stack, self.marks, self.memo = [], [], {}
        try:
            return self._run()
        except RefusedError as error:
            raise self._problem(str(error), HINT) from error
        except DamagedError as error:
            raise self._problem(str(error)) from error
        except (struct.error, ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
            if self.position + LONGEST_ARGUMENT > len(self.data):
                raise PickleEndsError from error
            raise self._problem(DAMAGED) from error

    def _run(self) -> Any:
        """One loop, with the frequent opcodes first and in line: of a tensor's 40, some 38 are."""
        data, stack, marks, memo = self.data, self.stack, self.marks, self.memo
        push, pop, integer, persistent = stack.append, stack.pop, _u4, self.persistent
        position = self.position
        budget = iter(range(self.budget))
        try:
            for _ in budget:
                opcode = data[position]
                position += 1
                if opcode == 0x4B:  # BININT1
                    push(data[position])
                    position += 1
                elif opcode == 0x72:  # LONG_BINPUT
                    memo[integer(data, position)[0]] = stack[-1]
                    position += 4
                elif opcode == 0x68:  # BINGET
                    push(memo[data[position]])
                    position += 1
                elif opcode == 0x28:  # MARK
                    marks.append(len(stack))
                elif opcode == 0x74:  # TUPLE
                    at = marks.pop()
                    stack[at:] = (tuple(stack[at:]),)
                elif opcode == 0x52:  # REDUCE
                    arguments = pop()
                    stack[-1] = stack[-1].make(arguments if type(arguments) is tuple else ())
                elif opcode == 0x58:  # BINUNICODE
                    start = position + 4
                    position = start + integer(data, position)[0]
                    push(self._text(start, position))
                elif opcode == 0x51:  # BINPERSID
                    stack[-1] = persistent(stack[-1])
                elif opcode == 0x4D:  # BININT2
                    push(_u2(data, position)[0])
                    position += 2
                elif opcode == 0x29:  # EMPTY_TUPLE
                    push(())
                elif opcode == 0x89:  # NEWFALSE
                    push(False)
                elif opcode == 0x85:  # TUPLE1
                    stack[-1] = (stack[-1],)
                elif opcode == 0x94:  # MEMOIZE
                    memo[len(memo)] = stack[-1]
                elif opcode == 0x71:  # BINPUT
                    memo[data[position]] = stack[-1]
                    position += 1
                elif opcode == 0x2E:  # STOP
                    return pop()
                else:
                    position = self._rare(opcode, position)
        finally:
            self.position = position
            self.budget = length_hint(budget)
        raise DamagedError(f"its pickles have more than {MAX_OPCODES:,} opcodes")

    def _rare(self, opcode: int, position: int) -> int:
        operation = _OPERATIONS.get(opcode)
        if operation is None:
            known = REFUSED.get(opcode)
            if known is None:
                raise DamagedError(DAMAGED)
            raise RefusedError(f"it uses the opcode {known}, which no state dict needs")
        return operation(self, position)

    def _bytes(self, start: int, end: int) -> bytes:
        if end > len(self.data):
            raise PickleEndsError
        return self.data[start:end]

    def _text(self, start: int, end: int) -> str:
        return self._bytes(start, end).decode()

    def _items(self) -> list[Any]:
        """What lies above the last mark, taken off the stack."""
        at = self.marks.pop()
        items = self.stack[at:]
        del self.stack[at:]
        return items

    def _named(self, name: str) -> None:
        found = self.names.get(name)
        if found is None:
            raise RefusedError(f"it names {printable(name)}, which no state dict needs; nothing in it was run")
        self.stack.append(found)

    def _problem(self, message: str, hint: str = "") -> CheckpointError:
        return CheckpointError("E-checkpoint", f"{self.where} byte {self.position}", message, hint)

    # Each of the following does one opcode, and returns the position after it.

    def _protocol(self, position: int) -> int:
        if not 2 <= self.data[position] <= 5:
            raise DamagedError(f"its pickle is of protocol {self.data[position]}; 2 to 5 are read")
        return position + 1

    def _frame(self, position: int) -> int:
        return position + 8

    def _long_get(self, position: int) -> int:
        self.stack.append(self.memo[_u4(self.data, position)[0]])
        return position + 4

    def _integer(self, position: int) -> int:
        self.stack.append(_i4(self.data, position)[0])
        return position + 4

    def _long(self, position: int) -> int:
        end = position + 1 + self.data[position]
        self.stack.append(int.from_bytes(self._bytes(position + 1, end), "little", signed=True))
        return end

    def _float(self, position: int) -> int:
        self.stack.append(_f8(self.data, position)[0])
        return position + 8

    def _short_text(self, position: int) -> int:
        end = position + 1 + self.data[position]
        self.stack.append(self._text(position + 1, end))
        return end

    def _short_bytes(self, position: int) -> int:
        end = position + 1 + self.data[position]
        self.stack.append(self._bytes(position + 1, end))
        return end

    def _long_bytes(self, position: int) -> int:
        end: int = position + 4 + _u4(self.data, position)[0]
        self.stack.append(self._bytes(position + 4, end))
        return end

    def _bytearray(self, position: int) -> int:
        end = position + 8 + int.from_bytes(self._bytes(position, position + 8), "little")
        self.stack.append(self._bytes(position + 8, end))
        return end

    def _short_string(self, position: int) -> int:
        position = self._short_bytes(position)
        self.stack[-1] = self.stack[-1].decode("latin-1")
        return position

    def _long_string(self, position: int) -> int:
        position = self._long_bytes(position)
        self.stack[-1] = self.stack[-1].decode("latin-1")
        return position

    def _list(self, position: int) -> int:
        self.stack.append([])
        return position

    def _dict(self, position: int) -> int:
        self.stack.append({})
        return position

    def _append(self, position: int) -> int:
        item = self.stack.pop()
        self._extend([item])
        return position

    def _appends(self, position: int) -> int:
        self._extend(self._items())
        return position

    def _extend(self, items: list[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise DamagedError(DAMAGED)
        self.stack[-1].extend(items)

    def _frozen(self, position: int) -> int:
        self.stack.append(self._items())
        return position

    def _set_item(self, position: int) -> int:
        value = self.stack.pop()
        self._update([self.stack.pop(), value])
        return position

    def _set_items(self, position: int) -> int:
        self._update(self._items())
        return position

    def _update(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not dict or len(items) % 2:
            raise DamagedError(DAMAGED)
        for key, value in zip(items[::2], items[1::2], strict=True):
            name = checked_key(key) if type(key) is str else _key(key)
            if name in target:
                raise DamagedError(f"a mapping in it has the key {printable(name)} twice")
            target[name] = value

    def _tuple2(self, position: int) -> int:
        self.stack[-2:] = ((self.stack[-2], self.stack[-1]),)
        return position

    def _tuple3(self, position: int) -> int:
        self.stack[-3:] = ((self.stack[-3], self.stack[-2], self.stack[-1]),)
        return position

    def _pop(self, position: int) -> int:
        self.stack.pop()
        return position

    def _pop_mark(self, position: int) -> int:
        self._items()
        return position

    def _global(self, position: int) -> int:
        middle = self.data.find(b"\n", position)
        end: int = self.data.find(b"\n", middle + 1)
        if middle < 0 or end < 0:
            raise PickleEndsError
        self._named(f"{self._text(position, middle)}.{self._text(middle + 1, end)}")
        return end + 1

    def _stack_global(self, position: int) -> int:
        name = self.stack.pop()
        module = self.stack.pop()
        if type(name) is not str or type(module) is not str:
            raise DamagedError(DAMAGED)
        self._named(f"{module}.{name}")
        return position

    def _new_object(self, position: int) -> int:
        arguments = self.stack.pop()
        self.stack[-1] = self.stack[-1].make(arguments)
        return position

    def _build(self, position: int) -> int:
        """What an object is to be given beside what it was made of: the metadata of a state dict, say. Left out."""
        self.stack.pop()
        if type(self.stack[-1]) in (Name, list, tuple):
            raise DamagedError(DAMAGED)
        return position


def _key(key: object) -> str:
    """A key as text. Other keys than text are of what lies beside a state dict."""
    if key is None or type(key) in (float, bool) or (type(key) is int and key.bit_length() <= 64):
        return str(key)
    raise DamagedError(f"a mapping in it has a {type(key).__name__} as a key")


HINT = "if it is a checkpoint that you trust, save its state dict alone: torch.save(net.state_dict(), ..)"


def _push(value: object) -> Callable[[PickleMachine, int], int]:
    def push(machine: PickleMachine, position: int) -> int:
        machine.stack.append(value)
        return position

    return push


_OPERATIONS: dict[int, Callable[[PickleMachine, int], int]] = {
    ord("N"): _push(None),
    ord(")"): _push(()),
    0x88: _push(True),
    0x89: _push(False),
    0x80: PickleMachine._protocol,
    0x95: PickleMachine._frame,
    ord("j"): PickleMachine._long_get,
    ord("J"): PickleMachine._integer,
    0x8A: PickleMachine._long,
    ord("G"): PickleMachine._float,
    0x8C: PickleMachine._short_text,
    ord("C"): PickleMachine._short_bytes,
    ord("B"): PickleMachine._long_bytes,
    0x96: PickleMachine._bytearray,
    ord("U"): PickleMachine._short_string,
    ord("T"): PickleMachine._long_string,
    ord("]"): PickleMachine._list,
    0x8F: PickleMachine._list,
    ord("}"): PickleMachine._dict,
    ord("a"): PickleMachine._append,
    ord("e"): PickleMachine._appends,
    0x90: PickleMachine._appends,
    0x91: PickleMachine._frozen,
    ord("s"): PickleMachine._set_item,
    ord("u"): PickleMachine._set_items,
    0x86: PickleMachine._tuple2,
    0x87: PickleMachine._tuple3,
    ord("0"): PickleMachine._pop,
    ord("1"): PickleMachine._pop_mark,
    ord("c"): PickleMachine._global,
    0x93: PickleMachine._stack_global,
    0x81: PickleMachine._new_object,
    ord("b"): PickleMachine._build,
}
