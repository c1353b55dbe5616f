"""Strides for a spec that no family is known for: no weight tells them, but the resolutions must come out.

A convolution of kernel 5 or more and a strided residual block halve, a transposed convolution of kernel 5 or more
doubles, everything else keeps the resolution; then strides are changed where y, z or the image would not come out at
the same resolution on both ways.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from codecspec.compiler.kind import BlockKind
from codecspec.compiler.kinds import KINDS

WIDE_KERNEL = 5
"""Kernels from this size on are taken for strided ones."""
MAX_STRIDE = 255

Blocks = Sequence[dict[str, Any]]
"""Blocks as a spec writes them, each with `c_in`, the channels that come in, as the key `_c_in`."""


@dataclass(slots=True)
class _Free:
    """A block whose stride nothing tells."""

    block: dict[str, Any]
    up: bool
    least: int

    @property
    def stride(self) -> int:
        stride: int = self.block["stride"]
        return stride


def assign_strides(down: Blocks, ups: Sequence[Blocks]) -> None:
    """Put strides into the blocks of a transform and of those that undo its resolution."""
    frees = {id(blocks): _preferred(blocks) for blocks in (down, *ups)}
    scale = _scale(down)
    if scale.numerator != 1:
        _tune(down, frees[id(down)], Fraction(1))
    if not all(_tune(up, frees[id(up)], 1 / _scale(down)) for up in ups):
        wanted = max((_scale(up) for up in ups), key=lambda up: up.numerator)
        _tune(down, frees[id(down)], 1 / wanted)
        for up in ups:
            _tune(up, frees[id(up)], 1 / _scale(down))


def _walk(blocks: Blocks) -> Iterator[dict[str, Any]]:
    for block in blocks:
        if block["type"] == "sequence":
            yield from _walk(block["blocks"])
        else:
            yield block


def _preferred(blocks: Blocks) -> list[_Free]:
    """The blocks whose stride is free, with the strides that are likely."""
    free: list[_Free] = []
    for block in _walk(blocks):
        if "stride" not in KINDS[block["type"]].spec_type.model_fields or "stride" in block:
            continue
        changes = block["type"] == "residual_stride"  # its skip says that something changes
        block["stride"] = 2 if changes or block.get("kernel", 0) >= WIDE_KERNEL else 1
        least = 2 if changes and block["out"] == block["_c_in"] else 1
        free.append(_Free(block, _block_scale({**block, "stride": 2}) > 1, least))
    return free


def _scale(blocks: Blocks) -> Fraction:
    """Side of the output per side of the input."""
    scale = Fraction(1)
    for block in _walk(blocks):
        scale *= _block_scale(block)
    return scale


def _block_scale(block: dict[str, Any]) -> Fraction:
    kind = KINDS[block["type"]]
    if not isinstance(kind, BlockKind):
        return Fraction(1)
    said = {name: value for name, value in block.items() if name != "_c_in"}
    scale: Fraction = kind.flow(kind.spec_type.model_construct(**said), block["_c_in"]).scale
    return scale


def _tune(blocks: Blocks, free: list[_Free], wanted: Fraction) -> bool:
    """Change free strides until the blocks come out at `wanted`; False, and nothing changed, where they cannot."""
    before = [each.stride for each in free]
    ratio = wanted / _scale(blocks)
    more = all(_step(free, prime, up=True) for prime in _primes(ratio.numerator))
    if more and all(_step(free, prime, up=False) for prime in _primes(ratio.denominator)):
        return True
    for each, stride in zip(free, before, strict=True):
        each.block["stride"] = stride
    return False


def _step(free: list[_Free], prime: int, *, up: bool) -> bool:
    """One more factor of `prime` up, or down: by taking a stride back, or else by adding to the smallest."""
    for each in free:
        if each.up != up and each.stride % prime == 0 and each.stride // prime >= each.least:
            each.block["stride"] //= prime
            return True
    able = [each for each in reversed(free) if each.up == up and each.stride * prime <= MAX_STRIDE]
    if able:
        min(able, key=lambda each: each.stride).block["stride"] *= prime
    return bool(able)


def _primes(number: int) -> list[int]:
    """Its prime factors, each as often as it divides; of a number that strides can make."""
    primes: list[int] = []
    for prime in range(2, MAX_STRIDE + 1):
        while number % prime == 0:
            primes.append(prime)
            number //= prime
    return primes if number == 1 else [*primes, number]
