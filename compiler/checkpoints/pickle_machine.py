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

from codecspec.compiler.checkpoints.damaged import DamagedError, RefusedError
from codecspec.compiler.checkpoints.pickle_opcodes import DAMAGED, Name, PickleEndsError, PickleState, rare_opcode
from codecspec.schema.errors import CheckpointError

MAX_OPCODES = 1_000_000
"""A tensor takes some 40: enough for 24,000 of them, and what any pickle of so many can cost is a second."""

LONGEST_ARGUMENT = 8
"""Bytes of an opcode's argument of fixed length."""
HINT = "if it is a checkpoint that you trust, save its state dict alone: torch.save(net.state_dict(), ..)"

_u2 = struct.Struct("<H").unpack_from
_u4 = struct.Struct("<I").unpack_from


class PickleMachine(PickleState):
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
        super().__init__(data, names)
        self.where = where
        self.persistent = persistent
        self.position = 0
        self.budget = MAX_OPCODES

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
        position, length = self.position, len(data)
        budget = iter(range(self.budget))
        try:
            for _ in budget:
                opcode = data[position]
                position += 1
                if opcode == 0x72:  # LONG_BINPUT
                    memo[integer(data, position)[0]] = stack[-1]
                    position += 4
                elif opcode == 0x4B:  # BININT1
                    push(data[position])
                    position += 1
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
                    if position > length:
                        raise PickleEndsError
                    push(data[start:position].decode())
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
                    position = rare_opcode(self, opcode, position)
        finally:
            self.position = position
            self.budget = length_hint(budget)
        raise DamagedError(f"its pickles have more than {MAX_OPCODES:,} opcodes")

    def _problem(self, message: str, hint: str = "") -> CheckpointError:
        return CheckpointError("E-checkpoint", f"{self.where} byte {self.position}", message, hint)
