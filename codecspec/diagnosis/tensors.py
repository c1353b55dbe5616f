"""Tensors that cannot be right, and those that training never touched."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from codecspec.compiler.build import build
from codecspec.compiler.plan import AUX, Plan
from codecspec.compiler.precision import half_types
from codecspec.diagnosis.finding import Finding, several

if TYPE_CHECKING:
    from torch import Tensor

_SEEDS = (0, 1)
MANY = 2000
"""Numbers drawn between bounds from which on the extremes come as near to these as `SAME_EXTREME`."""
SAME_EXTREME = 0.005
TELLING = 3
"""Tensors at their start from which on a part is said to be so: a GDN or a LayerNorm alone has two."""


def broken_tensors(tensors: Mapping[str, Tensor]) -> list[Finding]:
    """Tensors that hold NaN or infinity; all must be finite."""
    found: list[Finding] = []
    floats = {key: tensor for key, tensor in tensors.items() if tensor.is_floating_point()}
    for word, test in (("NaN", torch.isnan), ("infinite values", torch.isinf)):
        counts = {key: int(test(tensor).sum()) for key, tensor in floats.items()}
        bad = [key for key, count in counts.items() if count]
        if bad:
            first = f"{counts[bad[0]]:,} of {floats[bad[0]].numel():,} numbers of {bad[0]}"
            message = f"{len(bad)} tensors hold {word}: {several(bad)} ({first})"
            found.append(Finding("wrong", "tensors", message, "take an earlier checkpoint of the training", tuple(bad)))
    return found or [Finding("fine", "tensors", f"all {len(floats)} floating-point tensors are finite")]


def half_precision(tensors: Mapping[str, Tensor]) -> list[Finding]:
    """Tensors that were rounded to half precision."""
    floats = [tensor for tensor in tensors.values() if tensor.is_floating_point()]
    keys = [key for key, tensor in tensors.items() if tensor.dtype in half_types()]
    if not keys:
        return []
    kind = tensors[keys[0]].dtype
    name, digits = str(kind).removeprefix("torch."), -round(math.log10(torch.finfo(kind).resolution))
    message = f"{len(keys)} of {len(floats)} floating-point tensors are {name}, with {digits} digits"
    hint = "computation is in float32; the figures below are those of the rounded values"
    return [Finding("note", "tensors", message, hint, tuple(keys))]


def untouched_tensors(tensors: Mapping[str, Tensor], plan: Plan) -> list[Finding]:
    """Tensors that are all zero, or as the initialisation leaves them where that can be told.

    Args:
        tensors: canonical key -> tensor.
        plan: the plan that they are of.
    """
    initial = InitialState.of(plan)
    parameters = [key for key, tensor in plan.manifest().items() if tensor.role == "parameter" and key in tensors]
    known = [key for key in parameters if key in initial.constant or key in initial.ranges]
    at_start = [key for key in known if initial.leaves(key, tensors[key])]
    constant = [key for key in at_start if key in initial.constant]
    zero = [key for key in parameters if key not in constant and not tensors[key].any()]
    found = []
    if zero:
        message = f"{len(zero)} tensors are all zero, which training does not leave them: {several(zero)}"
        found.append(
            Finding("wrong", "tensors", message, "was the checkpoint saved, or converted, in part?", tuple(zero))
        )
    if known and len(at_start) == len(known):
        message = f"all {len(known)} tensors that can tell have their initial values: nothing was trained"
        found.append(Finding("wrong", "tensors", message, "is this the file that training wrote?", tuple(at_start)))
        return found
    parts = _whole_parts(known, set(at_start))
    found += _parts_findings({part: keys for part, keys in parts.items() if not part.startswith(AUX)})
    rest = [key for key in constant if not any(key in keys for keys in parts.values())]
    if rest:
        quantiles = [key for key in rest if key.endswith(".quantiles")]
        message = (
            f"{len(rest)} of {len(initial.constant)} tensors with a known initial value still have it: {several(rest)}"
        )
        hint = "the auxiliary loss, which trains the quantiles, was not minimised" if quantiles else ""
        found.append(Finding("note", "tensors", message, hint, tuple(rest)))
    return found


def _parts_findings(parts: Mapping[str, Sequence[str]]) -> list[Finding]:
    if not parts:
        return []
    named = [f"{part} ({len(keys)} tensors)" for part, keys in parts.items()]
    message = f"parts that were never trained, beside others that were: {several(named)}"
    hint = "were they not loaded before the checkpoint was saved? `strict=False` skips keys with other names"
    if all(part.endswith("entropy_bottleneck") for part in parts):
        hint += "; codecspec reads a bottleneck's older names (_matrix0 and so on): load the file that training wrote"
    keys = tuple(key for each in parts.values() for key in each)
    return [Finding("wrong", "tensors", message, hint, keys)]


def _whole_parts(known: Sequence[str], at_start: set[str]) -> dict[str, list[str]]:
    """The largest parts of which all tensors that tell are at their start, and these tensors, where they are enough."""
    under: dict[str, list[str]] = {}
    for key in known:
        steps = key.split(".")
        for depth in range(1, len(steps)):
            under.setdefault(".".join(steps[:depth]), []).append(key)
    whole = {part: keys for part, keys in under.items() if len(keys) >= TELLING and at_start.issuperset(keys)}
    largest = {part: keys for part, keys in whole.items() if part.rpartition(".")[0] not in whole}
    return {_common_path(keys): keys for keys in largest.values()}


def _common_path(keys: Sequence[str]) -> str:
    """The path of the smallest part that all these tensors are in."""
    first, *others = (key.split(".")[:-1] for key in keys)
    depth = len(first)
    for other in others:
        depth = next(
            (i for i, steps in enumerate(zip(first[:depth], other, strict=False)) if steps[0] != steps[1]),
            min(depth, len(other)),
        )
    return ".".join(first[:depth])


@dataclass(frozen=True, slots=True)
class InitialState:
    """What every initialisation of a plan leaves alike: what two of them agree on.

    Args:
        constant: key -> the very values.
        ranges: key -> the least and the greatest value of a large tensor that is drawn between bounds. Training of 60
            steps took the extremes of every one of some 500 such tensors beyond them by 7 % or more.
    """

    constant: dict[str, Tensor]
    ranges: dict[str, tuple[float, float]]

    @classmethod
    def of(cls, plan: Plan) -> InitialState:
        """That of a plan."""
        with torch.random.fork_rng(devices=[]):
            states = []
            for seed in _SEEDS:
                torch.manual_seed(seed)
                states.append({key: value.detach() for key, value in build(plan).named_parameters()})
        first, second = states
        constant = {key: value for key, value in first.items() if torch.equal(value, second[key])}
        drawn = {key: value for key, value in first.items() if key not in constant and value.numel() >= MANY}
        ranges = {key: _range(value) for key, value in drawn.items() if _alike(_range(value), _range(second[key]))}
        return cls(constant, ranges)

    def leaves(self, key: str, tensor: Tensor) -> bool:
        """Whether a tensor that tells is as it is left."""
        if key in self.constant:
            return torch.equal(tensor.float().cpu(), self.constant[key])
        return _alike(_range(tensor), self.ranges[key])


def _range(tensor: Tensor) -> tuple[float, float]:
    low, high = tensor.aminmax()
    return float(low), float(high)


def _alike(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return all(abs(a - b) <= SAME_EXTREME * abs(b) for a, b in zip(one, other, strict=True))
