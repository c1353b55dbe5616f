"""Vector instructions for kernels: what numba's own loops would leave to the optimizer's luck, said outright.

A function that is `emitted` writes LLVM instructions. Others of that sort call it with their builder; kernels call it
without one, and what it writes stands there when they are compiled. Addresses and distances are integers, in bytes. A
vector is `LANES` float32 that lie together, at any address. Products and sums may be fused; nothing else is reordered.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import from_dtype
from numba.core import cgutils, types
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

LANES = 16 if binding.get_host_cpu_features().get("avx512f") else 8
"""Numbers in a vector: a register of AVX-512, else one of AVX2."""
VECTOR_BYTES = 4 * LANES

Builder = Any
Integer = Any
Float = Any
Vector = Any
"""These three are known when the kernel runs: an integer, a float32, a vector."""
Kernel = Any
"""What kernels call."""
FLOAT = ir.FloatType()
INT = ir.IntType(64)
VECTOR = ir.VectorType(FLOAT, LANES)
EIGHT = ir.VectorType(FLOAT, 8)
"""What some have a use for whose numbers do not fill longer vectors."""
_INDEX = ir.IntType(32)
_FUSED = ("contract",)


class _VectorType(types.Type):
    """A vector, as numba sees it."""

    def __init__(self) -> None:
        super().__init__(name="Vector")


@register_model(_VectorType)
class _VectorModel(models.PrimitiveModel):
    """It is LLVM's own."""

    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, VECTOR)  # type: ignore[no-untyped-call]


_KINDS = {"Integer": types.intp, "Float": types.float32, "Vector": _VectorType(), "None": types.void}


def emitted(emit: Callable[..., Any]) -> Kernel:
    """Let kernels call a function that writes instructions, given a builder and values.

    Its annotations say what the values are: Integer, Float or Vector. Arguments by keyword are not for kernels.
    """
    _, *arguments = inspect.signature(emit).parameters.values()
    arguments = [each for each in arguments if each.kind is not each.KEYWORD_ONLY]
    kinds = [_KINDS[each.annotation] for each in arguments]
    gives = _KINDS[inspect.signature(emit).return_annotation]

    @type_callable(emit)
    def typed(_: Any) -> Any:
        def signature(*_: Any) -> Any:
            return gives(*kinds)

        signature.__signature__ = inspect.Signature(arguments)  # type: ignore[attr-defined]
        return signature

    @lower_builtin(emit, *kinds)  # type: ignore[no-untyped-call, untyped-decorator]
    def generate(context: Any, builder: Builder, _: Any, values: Sequence[Any]) -> Any:
        made = emit(builder, *values)
        return context.get_dummy_value() if made is None else made

    return emit


def pointer(b: Builder, address: Integer, kind: Any) -> Any:
    """An address as one of what lies there."""
    return b.inttoptr(address, kind.as_pointer())


def offset(b: Builder, address: Integer, step: Integer, count: int) -> Integer:
    """`count` steps behind an address."""
    return b.add(address, b.mul(step, INT(count)))


@emitted
def load(b: Builder, address: Integer, *, kind: Any = VECTOR) -> Vector:
    """The vector at an address."""
    return b.load(pointer(b, address, kind), align=4)


@emitted
def store(b: Builder, vector: Vector, address: Integer) -> None:
    """Put a vector at an address."""
    b.store(vector, pointer(b, address, vector.type), align=4)


@emitted
def everywhere(b: Builder, number: Float, *, kind: Any = VECTOR) -> Vector:
    """A vector of one number, known then or, as a number of Python's, now."""
    if isinstance(number, float | int):
        return ir.Constant(kind, [float(np.float32(number))] * kind.count)
    one = b.insert_element(ir.Constant(kind, ir.Undefined), number, _INDEX(0))
    return b.shuffle_vector(one, one, _lanes([0] * kind.count))


def _lanes(numbers: Iterable[int]) -> Any:
    numbers = list(numbers)
    return ir.Constant(ir.VectorType(_INDEX, len(numbers)), numbers)


def _like(b: Builder, number: float, x: Vector) -> Vector:
    """A vector of one number, as long as another vector."""
    return everywhere(b, number, kind=x.type)


def gathered(b: Builder, address: Integer, step: Integer) -> Vector:
    """A vector of numbers `step` bytes apart."""
    vector = ir.Constant(VECTOR, ir.Undefined)
    for lane in range(LANES):
        vector = b.insert_element(vector, float_at(b, offset(b, address, step, lane)), _INDEX(lane))
    return vector


def bit(b: Builder, bits: Integer, k: int) -> Any:
    """The k-th bit of an integer, as a condition."""
    return b.trunc(b.lshr(bits, INT(k)), ir.IntType(1))


@emitted
def plus(b: Builder, x: Vector, y: Vector) -> Vector:
    """Of two vectors."""
    return b.fadd(x, y, flags=_FUSED)


@emitted
def minus(b: Builder, x: Vector, y: Vector) -> Vector:
    """Of two vectors."""
    return b.fsub(x, y, flags=_FUSED)


@emitted
def times(b: Builder, x: Vector, y: Vector) -> Vector:
    """Of two vectors."""
    return b.fmul(x, y, flags=_FUSED)


@emitted
def over(b: Builder, x: Vector, y: Vector) -> Vector:
    """Of two vectors."""
    return b.fdiv(x, y)


@emitted
def larger(b: Builder, x: Vector, y: Vector) -> Vector:
    """Of two vectors; the second one's number where either is none."""
    return b.select(b.fcmp_ordered(">", x, y), x, y)


def smaller(b: Builder, x: Vector, y: Vector) -> Vector:
    """Of two vectors; likewise."""
    return b.select(b.fcmp_ordered("<", x, y), x, y)


def weighted_sum(b: Builder, weights: Iterable[float], vectors: Sequence[Vector]) -> Vector:
    """The sum of vectors by weights that are known now; those of weight 0 are not looked at."""
    # One of weight 1 first: it needs no product of its own.
    terms = sorted(((w, v) for w, v in zip(weights, vectors, strict=True) if w), key=lambda term: term[0] != 1)
    scaled = [v if w == 1 else times(b, v, _like(b, w, v)) for w, v in terms]
    total = scaled[0]
    for each in scaled[1:]:
        total = plus(b, each, total)
    return total


def rectified(b: Builder, vector: Vector, slope: Vector) -> Vector:
    """What is below 0 times `slope`, a vector of numbers up to 1: 0 for ReLU, 1 for nothing."""
    return larger(b, vector, b.fmul(vector, slope))


@emitted
def square_root(b: Builder, x: Vector) -> Vector:
    """Of each number."""
    kind = ir.FunctionType(x.type, [x.type])
    root = cgutils.get_or_insert_function(b.module, kind, f"llvm.sqrt.v{x.type.count}f32")  # type: ignore[no-untyped-call]
    return b.call(root, [x])


def _polynomial(b: Builder, coefficients: Sequence[float], x: Vector) -> Vector:
    total = _like(b, coefficients[-1], x)
    for coefficient in coefficients[-2::-1]:
        total = plus(b, times(b, total, x), _like(b, coefficient, x))
    return total


POWERS_OF_TWO = (1.0000000717, 0.69314696706, 0.24022119724, 0.055507132761, 0.0096755413277, 0.0013276471149)
"""2^r for -1/2 <= r <= 1/2, to 7.5e-8 of its size: fitted for the smallest largest error."""
TO_WHOLE = 1.5 * 2.0**23
"""Added to a float32, it leaves the nearest whole number, in the lowest bits."""
SMALLEST_POWER = -100.0


@emitted
def power_of_two(b: Builder, x: Vector) -> Vector:
    """2^x for x below 127, to 2.2e-7 of its size; below -100 it is 2^-100, which adds nothing to a sum of 1 or more."""
    x = larger(b, x, _like(b, SMALLEST_POWER, x))
    shifted = plus(b, x, _like(b, TO_WHOLE, x))
    rest = minus(b, x, minus(b, shifted, _like(b, TO_WHOLE, x)))
    bits = ir.VectorType(_INDEX, x.type.count)
    exponent = b.shl(b.bitcast(shifted, bits), _lanes([23] * x.type.count))
    return b.bitcast(b.add(b.bitcast(_polynomial(b, POWERS_OF_TWO, rest), bits), exponent), x.type)


GELU_TOP = (3.9894227131e-01, 3.4053143703e-02, 4.6843681661e-03, 1.7009671769e-04, 6.2886051491e-06, 2.2143672917e-08)
GELU_BOTTOM = (1.0, 2.5202487852e-01, 2.8747047713e-02, 1.8921722527e-03, 7.3669151864e-05, 1.1750682614e-06)
"""(Phi(x) - 1/2) / x for -5.65 <= x <= 5.65 as a ratio of polynomials in x^2, to 2.3e-8 of its size, fitted so, too."""
GELU_END = 5.65
"""From here on Phi is 0 or 1 in float32."""


@emitted
def gelu(b: Builder, x: Vector) -> Vector:
    """x Phi(x), Phi the normal distribution's: to 2e-7 of x."""
    inside = smaller(b, larger(b, x, _like(b, -GELU_END, x)), _like(b, GELU_END, x))
    square = times(b, inside, inside)
    ratio = over(b, _polynomial(b, GELU_TOP, square), _polynomial(b, GELU_BOTTOM, square))
    phi = larger(b, plus(b, times(b, inside, ratio), _like(b, 0.5, x)), _like(b, 0.0, x))
    return times(b, x, phi)


def _over_lanes(b: Builder, x: Vector, combine: Callable[[Builder, Vector, Vector], Vector]) -> Float:
    step = x.type.count // 2
    while step:
        x = combine(b, x, b.shuffle_vector(x, x, _lanes(lane ^ step for lane in range(x.type.count))))
        step //= 2
    return b.extract_element(x, _INDEX(0))


@emitted
def sum_of(b: Builder, x: Vector) -> Float:
    """Of a vector's numbers."""
    return _over_lanes(b, x, plus)


@emitted
def largest_of(b: Builder, x: Vector) -> Float:
    """Of a vector's numbers."""
    return _over_lanes(b, x, larger)


@emitted
def transpose(b: Builder, source: Integer, source_row: Integer, target: Integer, target_row: Integer) -> None:
    """Put 8 rows of 8 as 8 columns."""
    rows = [load(b, offset(b, source, source_row, i), kind=EIGHT) for i in range(8)]
    # Twice within the halves of 4 lanes, as processors do it, then the halves.
    for apart, both in (
        (1, ([0, 8, 1, 9, 4, 12, 5, 13], [2, 10, 3, 11, 6, 14, 7, 15])),
        (2, ([0, 1, 8, 9, 4, 5, 12, 13], [2, 3, 10, 11, 6, 7, 14, 15])),
        (4, ([0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15])),
    ):
        mixed = list(rows)
        for i in (i for i in range(8) if not i & apart):
            for j, lanes in zip((i, i + apart), both, strict=True):
                mixed[j] = b.shuffle_vector(rows[i], rows[i + apart], _lanes(lanes))
        rows = mixed
    for i in range(8):
        store(b, rows[i & 4 | (i & 1) << 1 | (i & 2) >> 1], offset(b, target, target_row, i))


@emitted
def float_at(b: Builder, address: Integer) -> Float:
    """The float32 at an address."""
    return b.load(pointer(b, address, FLOAT), align=4)


@emitted
def put_float(b: Builder, value: Float, address: Integer) -> None:
    """Put a float32 at an address."""
    b.store(value, pointer(b, address, FLOAT), align=4)


@emitted
def field(b: Builder, address: Integer, k: Integer) -> Integer:
    """The k-th integer from an address on."""
    return b.load(pointer(b, b.add(address, b.mul(k, INT(8))), INT))


@emitted
def put_field(b: Builder, value: Integer, address: Integer, k: Integer) -> None:
    """Put an integer there."""
    b.store(value, pointer(b, b.add(address, b.mul(k, INT(8))), INT))


@emitted
def taken(b: Builder, address: Integer) -> Integer:
    """The integer at an address, which other threads then find one higher."""
    return b.atomic_rmw("add", pointer(b, address, INT), INT(1), "monotonic")


def record_of(layout: np.dtype[Any]) -> Kernel:
    """What gives kernels the record of a layout that lies at an address."""
    kind = from_dtype(layout)

    def generate(context: Any, b: Builder, _: Any, values: Sequence[Any]) -> Any:
        return b.inttoptr(values[0], context.get_value_type(kind))

    return intrinsic(lambda _, address: (kind(types.intp), generate))
