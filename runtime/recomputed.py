"""Outputs without a graph, and gradients by computing them again with one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

Outputs = dict[str, Any]
"""Tensors by name, or such mappings by name."""


def recomputed(compute: Callable[[Tensor], Outputs], x: Tensor, module: nn.Module) -> Outputs:
    """What `compute` gives without gradients, and its gradients all the same.

    forward    x ─► compute, without a graph ─► outputs
    backward   x ─► compute, with a graph ─► gradients of x and of the module's parameters

    So an evaluation has the very values that coding has, whichever ways layers take without gradients, at the cost of a
    second forward where somebody asks for gradients.

    Args:
        compute: of x and the module's parameters alone, and twice the same.
        x: what it computes with.
        module: whose parameters it uses.

    Returns:
        What `compute` gives, of the same names.
    """
    parameters = [p for p in module.parameters() if p.requires_grad]
    names: list[tuple[str, ...]] = []
    return _nested(names, _Recomputed.apply(compute, names, x, *parameters))


class _Recomputed(torch.autograd.Function):
    """(compute, names, x, *parameters) -> its outputs in a row; `names` is filled with their paths."""

    @staticmethod
    def forward(ctx: Any, compute: Callable[[Tensor], Outputs], names: list[Any], *inputs: Tensor) -> Any:
        flat = _flat(compute(inputs[0]))
        names += flat
        ctx.compute = compute
        ctx.set_materialize_grads(False)  # what no loss sees has no gradient, rather than one of zeros
        ctx.save_for_backward(*inputs)
        return tuple(flat.values())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        x, *parameters = ctx.saved_tensors
        with torch.enable_grad():
            again = x.detach().requires_grad_(ctx.needs_input_grad[2])
            outputs = _flat(ctx.compute(again)).values()
        seen = [(output, gradient) for output, gradient in zip(outputs, gradients, strict=True) if gradient is not None]
        pairs = [pair for pair in seen if pair[0].requires_grad]
        reached, their_gradients = zip(*pairs, strict=True)
        inputs = [again, *parameters] if again.requires_grad else parameters
        found = torch.autograd.grad(reached, inputs, their_gradients, allow_unused=True)
        return (None, None, *([] if again.requires_grad else [None]), *found)


def _flat(outputs: Mapping[str, Any], path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Tensor]:
    found: dict[tuple[str, ...], Tensor] = {}
    for name, value in outputs.items():
        own = (*path, name)
        found |= _flat(value, own) if isinstance(value, Mapping) else {own: value}
    return found


def _nested(names: list[tuple[str, ...]], tensors: tuple[Tensor, ...]) -> Outputs:
    nested: Outputs = {}
    for path, tensor in zip(names, tensors, strict=True):
        inner = nested
        for name in path[:-1]:
            inner = inner.setdefault(name, {})
        inner[path[-1]] = tensor
    return nested
