"""Strides for a spec that no family is known for: no weight tells them, but the resolutions must come out.

A convolution of kernel 5 or more and a strided residual block halve, a transposed convolution of kernel 5 or more
doubles, everything else keeps the resolution. Where y, z or the image would then not come out at the same resolution
on both ways, the whole number of positions between the two that is nearest to this and that strides can make is taken;
where no strides can, a convolution that may as well be a transposed one becomes one, or the reverse.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import product
from typing import Any

from codecspec.compiler.kind import BlockKind
from codecspec.compiler.kinds import KINDS

WIDE_KERNEL = 5
"""Kernels from this size on are taken for strided ones."""
MAX_STRIDE = 255
MAX_TRIED = 512
"""Ratios of the two resolutions that are tried."""
MAX_SURPLUS = 12
"""Factors that are tried in strides of both directions."""

Blocks = Sequence[dict[str, Any]]
"""Blocks as a spec writes them, each with the channels that come in as the key `_c_in`, and with the key `_either`
where it may be a convolution as well as a transposed one."""

_OTHER = {"conv": "deconv", "deconv": "conv"}


@dataclass(frozen=True, slots=True)
class _Free:
    """A block whose stride nothing tells: what it likely is, and what it is at least."""

    block: dict[str, Any]
    likely: int
    least: int


@dataclass(frozen=True, slots=True)
class _Strides:
    """What the strides of a row can make of the ratio of two resolutions, the higher per the lower.

    Args:
        fixed: the ratio with every free stride at 1.
        more: the blocks whose strides multiply it.
        less: those whose strides divide it.
    """

    fixed: Fraction
    more: tuple[_Free, ...]
    less: tuple[_Free, ...]

    @property
    def likely(self) -> Fraction:
        """The ratio with the likely strides."""
        return self.fixed * math.prod(free.likely for free in self.more) / math.prod(free.likely for free in self.less)

    def making(self, ratio: int) -> list[tuple[_Free, int]] | None:
        """Strides that come to this ratio, if any do."""
        wanted = ratio / self.fixed
        if (wanted.numerator > 1 and not self.more) or (wanted.denominator > 1 and not self.less):
            return None
        likely = math.prod(free.likely for free in self.less) // wanted.denominator
        surplus = range(1, MAX_SURPLUS + 1) if self.more and self.less else (1,)
        for factor in (max(1, likely), *surplus) if self.more and self.less else (1,):
            more, less = _spread(self.more, wanted.numerator * factor), _spread(self.less, wanted.denominator * factor)
            if more is not None and less is not None:
                return [*zip(self.more, more, strict=True), *zip(self.less, less, strict=True)]
        return None


def assign_strides(down: Blocks, ups: Sequence[Blocks]) -> None:
    """Put strides into the blocks of a transform and of those that undo its resolution."""
    rows = [_options(down, up=False), *(_options(blocks, up=True) for blocks in ups)]
    for flips in sorted(product(*rows), key=lambda flips: sum(flip is not None for flip in flips)):
        for block in flips:
            _flip(block)
        strides = [_strides(down, up=False), *(_strides(blocks, up=True) for blocks in ups)]
        found = next((made for ratio in _ratios(strides) if (made := _making(strides, ratio))), None)
        if found is not None:
            for free, stride in found:
                free.block["stride"] = stride
            return
        for block in flips:
            _flip(block)
    for row in (down, *ups):  # no strides can; what is likely shows where
        for free in (*_strides(row, up=True).more, *_strides(row, up=True).less):
            free.block["stride"] = free.likely


def _walk(blocks: Blocks) -> Iterator[dict[str, Any]]:
    for block in blocks:
        if block["type"] == "sequence":
            yield from _walk(block["blocks"])
        else:
            yield block


def _options(blocks: Blocks, *, up: bool) -> list[dict[str, Any] | None]:
    """The blocks of a row that may be turned into their other kind so that strides can do more, one of them or none."""
    strides = _strides(blocks, up=up)
    options: list[dict[str, Any] | None] = [None]
    for have, lacking in ((strides.less, strides.more), (strides.more, strides.less)):
        either = [free.block for free in have if free.block.get("_either")]
        options += either[-1:] if not lacking else []
    return options


def _flip(block: dict[str, Any] | None) -> None:
    if block is not None:
        block["type"] = _OTHER[block["type"]]


def _strides(blocks: Blocks, *, up: bool) -> _Strides:
    """What the strides of a row can make; `up` for one that raises the resolution."""
    scale = Fraction(1)
    raising: list[_Free] = []
    lowering: list[_Free] = []
    for block in _walk(blocks):
        if "stride" not in KINDS[block["type"]].spec_type.model_fields or "stride" in block:
            scale *= _scale({**block, "stride": block.get("stride", 1)})
            continue
        changes = block["type"] == "residual_stride"  # its skip says that something changes
        likely = 2 if changes or block.get("kernel", 0) >= WIDE_KERNEL else 1
        least = 2 if changes and block["out"] == block["_c_in"] else 1
        raises = _scale({**block, "stride": 2}) > 1
        (raising if raises else lowering).append(_Free(block, likely, least))
    if up:
        return _Strides(scale, tuple(raising), tuple(lowering))
    return _Strides(1 / scale, tuple(lowering), tuple(raising))


def _scale(block: dict[str, Any]) -> Fraction:
    """Side of a block's output per side of its input."""
    kind = KINDS[block["type"]]
    if not isinstance(kind, BlockKind):
        return Fraction(1)
    said = {name: value for name, value in block.items() if not name.startswith("_")}
    scale: Fraction = kind.flow(kind.spec_type.model_construct(**said), block["_c_in"]).scale
    return scale


def _ratios(rows: Sequence[_Strides]) -> Iterator[int]:
    """The whole ratios that all rows may come to, those that are likely first."""
    likely = [row.likely for row in rows]
    wanted = [ratio for ratio in (likely[0], *sorted(likely[1:], reverse=True)) if ratio.denominator == 1]
    yield from (int(ratio) for ratio in wanted)
    step = math.lcm(*(row.fixed.numerator for row in rows if not row.less))
    most = min([int(row.fixed) for row in rows if not row.more], default=step * MAX_TRIED)
    ratios = range(step, min(most, step * MAX_TRIED) + 1, step)
    near = float(likely[0])
    yield from sorted(ratios, key=lambda ratio: abs(math.log(ratio / near)))


def _making(rows: Sequence[_Strides], ratio: int) -> list[tuple[_Free, int]] | None:
    found: list[tuple[_Free, int]] = []
    for row in rows:
        made = row.making(ratio)
        if made is None:
            return None
        found += made
    return found


def _spread(free: Sequence[_Free], product: int) -> list[int] | None:
    """A stride for each block, so that they multiply to `product`; the likely ones where they do."""
    likely = [each.likely for each in free]
    if math.prod(likely) == product:
        return likely
    strides = [1] * len(free)
    for prime in _primes(product):
        able = [i for i in range(len(free)) if strides[i] * prime <= MAX_STRIDE]
        if not able:
            return None
        best = min(able, key=lambda i: (*_wants(free[i], strides[i], prime), strides[i], -i))
        strides[best] *= prime
    return strides if all(stride >= each.least for stride, each in zip(strides, free, strict=True)) else None


def _wants(free: _Free, stride: int, prime: int) -> tuple[bool, bool]:
    """Whether a block needs one more factor, or is likely to have it; what sorts first wants it most."""
    return stride >= free.least, free.likely % (stride * prime) != 0


@lru_cache(8192)
def _primes(number: int) -> tuple[int, ...]:
    """Its prime factors, the largest first, each as often as it divides; what strides cannot make is left as one."""
    primes: list[int] = []
    for prime in range(2, MAX_STRIDE + 1):
        while number % prime == 0:
            primes.append(prime)
            number //= prime
    return (*((number,) if number > 1 else ()), *reversed(primes))
