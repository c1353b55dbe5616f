"""Vector instructions for kernels: what numba's own loops would leave to the optimizer's luck, said outright.

Functions decorated with `emitted` are called by kernels; what they do when one is compiled is write LLVM instructions.
Addresses are integers, in bytes. A vector is `LANES` float32 that lie together, at any address. Products and sums may
be fused.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.extending import intrinsic

LANES = 16 if binding.get_host_cpu_features().get("avx512f") else 8
"""Numbers in a vector: a register of AVX-512, else one of AVX2."""
VECTOR_BYTES = 4 * LANES
TILE_ROWS = 12 if LANES == 16 else 6
"""Rows of a tile of `multiply`: with two vectors a row they are as many as there are registers for."""

Value = Any
"""Of LLVM: an integer, a float32 or a vector that is known when the kernel runs."""
Builder = Any
_FLOAT = ir.FloatType()
_INT = ir.IntType(64)
_VECTOR = ir.VectorType(_FLOAT, LANES)
_FUSED = ("contract",)


def emitted(*, gives: Any = types.void, floats: Sequence[str] = ()) -> Callable[[Callable[..., Value | None]], Any]:
    """Make a function that writes instructions, given a builder and values, one that kernels can call with the values.

    Args:
        gives: the type of what it gives.
        floats: names of arguments that are float32; all others are integers.
    """

    def decorate(emit: Callable[..., Value | None]) -> Any:
        builder, *arguments = inspect.signature(emit).parameters.values()
        kinds = [types.float32 if each.name in floats else types.intp for each in arguments]

        def typed(*_: Any) -> Any:
            def generate(context: Any, builder: Builder, _signature: Any, values: Sequence[Value]) -> Value:
                made = emit(builder, *values)
                return context.get_dummy_value() if made is None else made

            return gives(*kinds), generate

        typed.__signature__ = inspect.Signature([builder, *arguments])  # type: ignore[attr-defined]
        typed.__name__ = emit.__name__
        typed.__doc__ = emit.__doc__
        return intrinsic(typed)

    return decorate


def load(b: Builder, address: Value) -> Value:
    """The vector at an address."""
    return b.load(b.inttoptr(address, _VECTOR.as_pointer()), align=4)


def store(b: Builder, vector: Value, address: Value) -> None:
    """Put a vector at an address."""
    b.store(vector, b.inttoptr(address, _VECTOR.as_pointer()), align=4)


def everywhere(b: Builder, number: float | Value) -> Value:
    """A vector of one number, known now or then."""
    if isinstance(number, float | int):
        return ir.Constant(_VECTOR, [float(np.float32(number))] * LANES)
    one = b.insert_element(ir.Constant(_VECTOR, ir.Undefined), number, ir.IntType(32)(0))
    return b.shuffle_vector(one, one, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))


def gathered(b: Builder, address: Value, step: Value) -> Value:
    """A vector of numbers `step` bytes apart."""
    vector = ir.Constant(_VECTOR, ir.Undefined)
    for lane in range(LANES):
        number = b.load(b.inttoptr(offset(b, address, step, lane), _FLOAT.as_pointer()), align=4)
        vector = b.insert_element(vector, number, ir.IntType(32)(lane))
    return vector


def bit(b: Builder, bits: Value, k: int) -> Value:
    """The k-th bit of an integer, as a condition."""
    return b.trunc(b.lshr(bits, _INT(k)), ir.IntType(1))


def offset(b: Builder, address: Value, step: Value, count: int) -> Value:
    """`count` steps behind an address."""
    return b.add(address, b.mul(step, _INT(count)))


def weighted_sum(b: Builder, weights: Iterable[float], vectors: Sequence[Value]) -> Value:
    """The sum of vectors by weights that are known now; those of weight 0 are not looked at."""
    # One of weight 1 first: it needs no product of its own.
    terms = sorted(((w, v) for w, v in zip(weights, vectors, strict=True) if w), key=lambda term: term[0] != 1)
    weight, total = terms[0]
    if weight != 1:
        total = b.fmul(total, everywhere(b, weight), flags=_FUSED)
    for weight, vector in terms[1:]:
        scaled = vector if weight == 1 else b.fmul(vector, everywhere(b, weight), flags=_FUSED)
        total = b.fadd(scaled, total, flags=_FUSED)
    return total


def plus(b: Builder, first: Value, second: Value) -> Value:
    """Of two vectors."""
    return b.fadd(first, second, flags=_FUSED)


def minus(b: Builder, first: Value, second: Value) -> Value:
    """Of two vectors."""
    return b.fsub(first, second, flags=_FUSED)


def times(b: Builder, first: Value, second: Value) -> Value:
    """Of two vectors."""
    return b.fmul(first, second, flags=_FUSED)


def square_root(b: Builder, vector: Value) -> Value:
    """Of each number."""
    kind = ir.FunctionType(_VECTOR, [_VECTOR])
    root = cgutils.get_or_insert_function(b.module, kind, f"llvm.sqrt.v{LANES}f32")  # type: ignore[no-untyped-call]
    return b.call(root, [vector])


def lane_sum(b: Builder, vector: Value) -> Value:
    """The sum of a vector's numbers, in each lane."""
    distance = LANES // 2
    while distance:
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [(k + distance) % LANES for k in range(LANES)])
        vector = plus(b, vector, b.shuffle_vector(vector, vector, lanes))
        distance //= 2
    return vector


def rectified(b: Builder, vector: Value, slope: Value) -> Value:
    """What is below 0 times `slope`, a vector of numbers up to 1: 0 for ReLU, 1 for nothing."""
    scaled = b.fmul(vector, slope)
    return b.select(b.fcmp_ordered(">", vector, scaled), vector, scaled)


@emitted(gives=types.intp)
def taken(b: Builder, address: Value) -> Value:
    """The integer at an address, which other threads then find one higher."""
    return b.atomic_rmw("add", b.inttoptr(address, _INT.as_pointer()), _INT(1), "monotonic")


@emitted(gives=types.intp)
def field(b: Builder, address: Value, k: Value) -> Value:
    """The k-th integer from an address on."""
    return b.load(b.inttoptr(b.add(address, b.mul(k, _INT(8))), _INT.as_pointer()))


@emitted(gives=types.float32)
def float_at(b: Builder, address: Value) -> Value:
    """The float32 at an address."""
    return b.load(b.inttoptr(address, _FLOAT.as_pointer()), align=4)


@emitted()
def copy_vector(b: Builder, source: Value, target: Value) -> None:
    """From one address to another."""
    store(b, load(b, source), target)


@emitted()
def clear_vector(b: Builder, target: Value) -> None:
    """Zeros to an address."""
    store(b, everywhere(b, 0.0), target)


def tile_product(
    b: Builder, begin: Sequence[Sequence[Value]], left: Value, left_row: Value, right: Value, panel: Value, depth: Value
) -> list[list[Value]]:
    """A matrix product in registers, added to sums: a row of them for each row of `left`, with a vector for each panel.

    Args:
        b: see above.
        begin: the sums.
        left, left_row: address, and bytes from row to row.
        right, panel: address of the first LANES columns, (depth, LANES) without gaps, and bytes to the next ones.
        depth: columns of `left`, rows of `right`.
    """
    sums = [[register(b) for _ in row] for row in begin]
    _each(sums, begin, lambda own, vector: b.store(vector, own))
    rows = [offset(b, left, left_row, r) for r in range(len(begin))]
    with cgutils.for_range(b, depth) as loop:
        at = b.add(right, b.mul(loop.index, _INT(VECTOR_BYTES)))
        rights = [load(b, offset(b, at, panel, v)) for v in range(len(begin[0]))]
        for row, row_sums in zip(rows, sums, strict=True):
            number = b.load(b.inttoptr(b.add(row, b.mul(loop.index, _INT(4))), _FLOAT.as_pointer()), align=4)
            left_vector = everywhere(b, number)
            for own, vector in zip(row_sums, rights, strict=True):
                b.store(plus(b, b.fmul(left_vector, vector, flags=_FUSED), b.load(own)), own)
    return [[b.load(own) for own in row] for row in sums]


def _tile_product(vectors: int) -> Any:
    """See `multiply_wide`; for so many vectors a row."""

    @emitted()
    def multiply(
        b: Builder, left: Value, left_row: Value, right: Value, panel: Value, out: Value, out_row: Value,
        depth: Value, adding: Value,
    ) -> None:  # fmt: skip
        targets = [
            [b.add(offset(b, out, out_row, r), _INT(VECTOR_BYTES * v)) for v in range(vectors)]
            for r in range(TILE_ROWS)
        ]
        begin = [[register(b) for _ in row] for row in targets]
        with b.if_else(b.icmp_signed("!=", adding, _INT(0))) as (before, anew):
            with before:
                _each(begin, targets, lambda own, target: b.store(load(b, target), own))
            with anew:
                _each(begin, targets, lambda own, target: b.store(everywhere(b, 0.0), own))
        sums = tile_product(b, [[b.load(own) for own in row] for row in begin], left, left_row, right, panel, depth)
        _each(sums, targets, lambda own, target: store(b, own, target))

    return multiply


def register(b: Builder) -> Value:
    """A place for a vector, which the optimizer finds a register for."""
    return cgutils.alloca_once(b, _VECTOR)  # type: ignore[no-untyped-call]


def _each(
    first: Sequence[Sequence[Value]], second: Sequence[Sequence[Value]], do: Callable[[Value, Value], None]
) -> None:
    for first_row, second_row in zip(first, second, strict=True):
        for one, other in zip(first_row, second_row, strict=True):
            do(one, other)


multiply_wide = _tile_product(2)
"""out (TILE_ROWS, 2 * LANES) = left (TILE_ROWS, depth) @ right (depth, 2 * LANES), in registers.

Args:
    left, left_row: address, and bytes from row to row.
    right, panel: address of the first LANES columns, (depth, LANES) without gaps, and bytes to the next ones.
    out, out_row: address, and bytes from row to row.
    depth: see above.
    adding: whether to add to what is in `out`; 0 or 1.
"""
multiply_narrow = _tile_product(1)
"""The same, for LANES columns."""
