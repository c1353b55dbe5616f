"""Vectors of 8 float32 inside kernels, at addresses in bytes: what numba has no words for, as LLVM's instructions.

Loops over arrays numba turns into such vectors by itself, where it sees that it may. Here it is said, so that a matrix
product or an exponential costs what it must. On processors with narrower vectors LLVM makes two of one.
"""

from __future__ import annotations

from llvmlite import ir
from numba import from_dtype
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model

from codecspec.runtime.vector_kernels import LANES as MOST_LANES
from codecspec.runtime.vector_kernels import TILE_ROWS, emitted

LANES = 8
BYTES = 4 * LANES
"""Of a vector."""
FLOAT = ir.FloatType()
INDEX = ir.IntType(32)
LONG = ir.IntType(64)
EIGHT = ir.VectorType(FLOAT, LANES)
EIGHT_INDEXES = ir.VectorType(INDEX, LANES)
FUSED = ("contract",)
"""A product and a sum may become one instruction, with one rounding; nothing else is reordered."""


class Vector(types.Type):
    """8 float32, as kernels see them."""

    def __init__(self):
        super().__init__(name="Vector")


vector = Vector()


@register_model(Vector)
class VectorModel(models.PrimitiveModel):
    """A `Vector` is LLVM's own."""

    def __init__(self, manager, kind):
        super().__init__(manager, kind, EIGHT)


def _constant(value):
    return ir.Constant(EIGHT, [float(value)] * LANES)


def _indexes(values):
    return ir.Constant(EIGHT_INDEXES, list(values))


def _read(b, address, offset=0):
    return b.load(b.inttoptr(b.add(address, LONG(offset)), EIGHT.as_pointer()), align=4)


def _write(b, value, address, offset=0):
    b.store(value, b.inttoptr(b.add(address, LONG(offset)), EIGHT.as_pointer()), align=4)


def _read_float(b, address):
    return b.load(b.inttoptr(address, FLOAT.as_pointer()), align=4)


def _spread(b, scalar, kind=EIGHT):
    one = b.insert_element(ir.Constant(kind, ir.Undefined), scalar, INDEX(0))
    return b.shuffle_vector(one, one, ir.Constant(ir.VectorType(INDEX, kind.count), [0] * kind.count))


def _multiply_add(b, x, y, z):
    return b.fadd(b.fmul(x, y, flags=FUSED), z, flags=FUSED)


def _larger(b, x, y):
    return b.select(b.fcmp_ordered(">", x, y), x, y)


def _smaller(b, x, y):
    return b.select(b.fcmp_ordered("<", x, y), x, y)


def _polynomial(b, coefficients, x):
    total = _constant(coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total = _multiply_add(b, total, x, _constant(coefficient))
    return total


@intrinsic
def load(context, address):
    """The vector at an address."""
    return vector(types.intp), lambda _, b, __, args: _read(b, args[0])


@intrinsic
def store(context, value, address):
    """Put a vector at an address."""

    def generate(made, b, _, args):
        _write(b, *args)
        return made.get_dummy_value()

    return types.void(vector, types.intp), generate


@intrinsic
def filled(context, scalar):
    """A vector of one value."""
    return vector(types.float32), lambda _, b, __, args: _spread(b, args[0])


def _of_vectors(count, operation):
    """An intrinsic of `count` vectors that gives one."""
    signature = vector(*[vector] * count)

    def generate(_, b, __, args):
        return operation(b, *args)

    if count == 1:
        return intrinsic(lambda context, x: (signature, generate))
    if count == 2:
        return intrinsic(lambda context, x, y: (signature, generate))
    return intrinsic(lambda context, x, y, z: (signature, generate))


add = _of_vectors(2, lambda b, x, y: b.fadd(x, y))
subtract = _of_vectors(2, lambda b, x, y: b.fsub(x, y))
multiply = _of_vectors(2, lambda b, x, y: b.fmul(x, y))
divide = _of_vectors(2, lambda b, x, y: b.fdiv(x, y))


def _root(b, x):
    function = b.module.declare_intrinsic("llvm.sqrt.v8f32", (), ir.FunctionType(EIGHT, [EIGHT]))
    return b.call(function, [x])


root = _of_vectors(1, _root)
maximum = _of_vectors(2, _larger)
multiply_add = _of_vectors(3, _multiply_add)
"""x * y + z, with one rounding where the processor can."""

POWERS_OF_TWO = (1.0000000717, 0.69314696706, 0.24022119724, 0.055507132761, 0.0096755413277, 0.0013276471149)
"""2^r for -1/2 <= r <= 1/2, to 7.5e-8 of its size: fitted for the smallest largest error."""
TO_WHOLE = 1.5 * 2.0**23
"""Added to a float32, it leaves the nearest whole number, in the lowest bits."""
SMALLEST_POWER = -100.0


def _power_of_two(b, x):
    x = _larger(b, x, _constant(SMALLEST_POWER))
    shifted = b.fadd(x, _constant(TO_WHOLE))
    rest = b.fsub(x, b.fsub(shifted, _constant(TO_WHOLE)))
    exponent = b.shl(b.bitcast(shifted, EIGHT_INDEXES), _indexes([23] * LANES))
    bits = b.add(b.bitcast(_polynomial(b, POWERS_OF_TWO, rest), EIGHT_INDEXES), exponent)
    return b.bitcast(bits, EIGHT)


power_of_two = _of_vectors(1, _power_of_two)
"""2^x for x below 127, to 2.2e-7 of its size; below -100 it is 2^-100, which adds nothing to a sum of 1 or more."""

GELU_TOP = (3.9894227131e-01, 3.4053143703e-02, 4.6843681661e-03, 1.7009671769e-04, 6.2886051491e-06, 2.2143672917e-08)
GELU_BOTTOM = (
    1.0000000000e00,
    2.5202487852e-01,
    2.8747047713e-02,
    1.8921722527e-03,
    7.3669151864e-05,
    1.1750682614e-06,
)
"""(Phi(x) - 1/2) / x for -5.65 <= x <= 5.65 as a ratio of polynomials in x^2, to 2.3e-8 of its size, fitted so, too."""
GELU_END = 5.65
"""From here on Phi is 0 or 1 in float32."""


def _gelu(b, x):
    inside = _smaller(b, _larger(b, x, _constant(-GELU_END)), _constant(GELU_END))
    square = b.fmul(inside, inside)
    ratio = b.fdiv(_polynomial(b, GELU_TOP, square), _polynomial(b, GELU_BOTTOM, square))
    phi = _larger(b, _multiply_add(b, inside, ratio, _constant(0.5)), _constant(0))
    return b.fmul(x, phi)


gelu = _of_vectors(1, _gelu)
"""x Phi(x), Phi the normal distribution's: to 2e-7 of x."""


def _over_lanes(operation):
    """An intrinsic that brings the lanes of a vector together."""

    def generate(_, b, __, args):
        (x,) = args
        for step in (4, 2, 1):
            x = operation(b, x, b.shuffle_vector(x, x, _indexes(lane ^ step for lane in range(LANES))))
        return b.extract_element(x, INDEX(0))

    return intrinsic(lambda context, x: (types.float32(vector), generate))


sum_of = _over_lanes(lambda b, x, y: b.fadd(x, y))
largest_of = _over_lanes(_larger)


@emitted()
def transpose(b, source, source_row, target, target_row):
    """Put 8 rows of 8 as 8 columns."""
    rows = [_read(b, b.add(source, b.mul(source_row, LONG(i)))) for i in range(LANES)]
    # Twice within the halves of 4 lanes, as processors do it, then the halves.
    for apart, both in (
        (1, ([0, 8, 1, 9, 4, 12, 5, 13], [2, 10, 3, 11, 6, 14, 7, 15])),
        (2, ([0, 1, 8, 9, 4, 5, 12, 13], [2, 3, 10, 11, 6, 7, 14, 15])),
        (4, ([0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15])),
    ):
        mixed = list(rows)
        for i in (i for i in range(LANES) if not i & apart):
            for j, lanes in zip((i, i + apart), both, strict=True):
                mixed[j] = b.shuffle_vector(rows[i], rows[i + apart], _indexes(lanes))
        rows = mixed
    for i in range(LANES):
        j = i & 4 | (i & 1) << 1 | (i & 2) >> 1
        _write(b, rows[j], b.add(target, b.mul(target_row, LONG(i))))


def _tile(rows, columns):
    """What kernels call for c = start + a m + other, c of `rows` and `columns`, all of c in registers.

    Each operand is an address and the bytes from one row to the next; other may be 0, nothing. `depth` is the columns
    of a, and the rows of m. What is below 0 becomes 0 where `relu` is not; what is no number stays what it is.
    """
    lanes = min(columns, MOST_LANES)
    kind, width = ir.VectorType(FLOAT, lanes), 4 * lanes
    places = [(r, v) for r in range(rows) for v in range(columns // lanes)]

    def lines(b, first, row):
        return [b.add(first, b.mul(row, LONG(r))) for r in range(rows)]

    def vector_at(b, address, v=0):
        return b.inttoptr(b.add(address, LONG(width * v)), kind.as_pointer())

    @emitted()
    def product(b, a, a_row, m, m_row, start, start_row, c, c_row, depth, other, other_row, relu):
        sums = {place: cgutils.alloca_once(b, kind) for place in places}
        given, left, made = lines(b, start, start_row), lines(b, a, a_row), lines(b, c, c_row)
        for r, v in places:
            b.store(b.load(vector_at(b, given[r], v), align=4), sums[r, v])
        with cgutils.for_range(b, depth) as loop:
            line = b.add(m, b.mul(loop.index, m_row))
            right = [b.load(vector_at(b, line, v), align=4) for v in range(columns // lanes)]
            factors = [_read_float(b, b.add(row, b.mul(loop.index, LONG(4)))) for row in left]
            for r, v in places:
                factor = _spread(b, factors[r], kind)
                b.store(_multiply_add(b, factor, right[v], b.load(sums[r, v])), sums[r, v])
        with b.if_then(b.icmp_signed("!=", other, LONG(0))):
            beside = lines(b, other, other_row)
            for r, v in places:
                b.store(b.fadd(b.load(sums[r, v]), b.load(vector_at(b, beside[r], v), align=4)), sums[r, v])
        with b.if_then(b.icmp_signed("!=", relu, LONG(0))):
            for place in sums.values():
                b.store(_larger(b, ir.Constant(kind, [0.0] * lanes), b.load(place)), place)
        for r, v in places:
            b.store(b.load(sums[r, v]), vector_at(b, made[r], v), align=4)

    return product


ROWS = TILE_ROWS
"""Of the largest tile: as many as there are registers for. Twice as wide a vector goes with twice the rows."""
tile_most = _tile(ROWS, 16)
tile_4x16 = _tile(4, 16)
tile_1x16 = _tile(1, 16)
tile_8x8 = _tile(8, 8)


@emitted(floats=["value"])
def put_float(b, value, address):
    """Put a float32 at an address."""
    b.store(value, b.inttoptr(address, FLOAT.as_pointer()))


@emitted()
def put_integer(b, value, address):
    """Put an integer at an address."""
    b.store(value, b.inttoptr(address, LONG.as_pointer()))


def record_of(layout):
    """An intrinsic for the record of a layout that lies at an address."""
    kind = from_dtype(layout)

    def generate(context, b, _, args):
        return b.inttoptr(args[0], context.get_value_type(kind))

    return intrinsic(lambda context, address: (kind(types.intp), generate))
