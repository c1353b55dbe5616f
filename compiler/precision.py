"""Tensors in the types that a plan has, whatever types a checkpoint holds them in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from codecspec.compiler.build import assemble
from codecspec.compiler.plan import Plan

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def typed(tensors: Mapping[str, Tensor], plan: Plan) -> dict[str, Tensor]:
    """Tensors as the types that the plan has; where there is nothing to change, without a copy.

    Half precision rounds more than weights: bounds of 1e-9 and pedestals of 2^-36 are zero in float16, and a likelihood
    that may be zero costs infinitely many bits. Constants that are what rounding leaves of their module's own are
    therefore those again.

    Args:
        tensors: canonical key -> tensor.
        plan: the plan that they are of.
    """
    import torch

    types = {key: getattr(torch, planned.dtype) for key, planned in plan.manifest().items()}
    found = {key: tensor.to(types[key]) for key, tensor in tensors.items()}
    rounded = {key for key, tensor in tensors.items() if tensor.dtype in half_types()}
    if rounded:
        own = constants(plan)
        found |= {key: own[key] for key in rounded & own.keys() if _is_rounded(tensors[key], own[key])}
    return found


def constants(plan: Plan) -> dict[str, Tensor]:
    """The constants of a plan's modules, by canonical key; without masks, whose zeros and ones no type rounds."""
    planned = plan.manifest()
    own = {key: tensor for key, tensor in assemble(plan).named_buffers() if planned[key].role == "buffer"}
    return {key: tensor for key, tensor in own.items() if not tensor.is_meta}


def half_types() -> tuple[torch.dtype, ...]:
    """The types of half precision."""
    import torch

    return torch.float16, torch.bfloat16


def _is_rounded(tensor: Tensor, constant: Tensor) -> bool:
    return bool((constant.to(tensor.dtype) == tensor.cpu()).all())
