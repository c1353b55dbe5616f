"""Tensors that cannot be right, and those that training never touched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch

from codecspec.compiler.build import build
from codecspec.compiler.plan import Plan
from codecspec.diagnosis.finding import Finding, several

if TYPE_CHECKING:
    from torch import Tensor

_SEEDS = (0, 1)


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


def untouched_tensors(tensors: Mapping[str, Tensor], plan: Plan) -> list[Finding]:
    """Tensors that are all zero, or as the initialisation leaves them where that is not random.

    Args:
        tensors: canonical key -> tensor.
        plan: the plan that they are of.
    """
    initial = constant_initial_values(plan)
    parameters = [key for key, tensor in plan.manifest().items() if tensor.role == "parameter" and key in tensors]
    at_start = [key for key in parameters if key in initial and torch.equal(tensors[key].float().cpu(), initial[key])]
    known = [key for key in parameters if key in initial]
    zero = [key for key in parameters if key not in at_start and not tensors[key].any()]
    found = []
    if zero:
        message = f"{len(zero)} tensors are all zero, which training does not leave them: {several(zero)}"
        found.append(
            Finding("wrong", "tensors", message, "was the checkpoint saved, or converted, in part?", tuple(zero))
        )
    if known and len(at_start) == len(known):
        message = f"every tensor whose initial value is known ({len(known)}) still has it: nothing was trained"
        found.append(Finding("wrong", "tensors", message, "is this the file that training wrote?", tuple(at_start)))
    elif at_start:
        quantiles = [key for key in at_start if key.endswith(".quantiles")]
        message = (
            f"{len(at_start)} of {len(known)} tensors with a known initial value still have it: {several(at_start)}"
        )
        hint = "the auxiliary loss, which trains the quantiles, was not minimised" if quantiles else ""
        found.append(Finding("note", "tensors", message, hint, tuple(at_start)))
    return found


def constant_initial_values(plan: Plan) -> dict[str, Tensor]:
    """The parameters that every initialisation of a plan gives the same values: what two of them agree on."""
    with torch.random.fork_rng(devices=[]):
        states = []
        for seed in _SEEDS:
            torch.manual_seed(seed)
            states.append(dict(build(plan).named_parameters()))
    first, second = states
    return {key: value.detach() for key, value in first.items() if torch.equal(value, second[key])}
