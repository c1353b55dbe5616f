"""Layers that compute in two ways: as the published code does, and faster, with other rounding errors."""

from __future__ import annotations

import torch
from torch import nn


class TwoWays(nn.Module):
    """A layer whose `fast` way is chosen from outside, for a whole codec at once (`choose_way`).

    The fast way is for inference alone: where gradients are recorded, or torch.compile traces, the plain way is taken,
    so that training computes what it always did. (A codec in evaluation records none; see `runtime/recomputed.py`.)
    """

    fast: bool = False

    def goes_fast(self) -> bool:
        """Whether this call takes the fast way."""
        return self.fast and not torch.is_grad_enabled() and not torch.compiler.is_compiling()


def choose_way(module: nn.Module, *, fast: bool) -> None:
    """Have every layer in `module` that knows two ways take the fast one, or the plain one."""
    for layer in module.modules():
        if isinstance(layer, TwoWays):
            layer.fast = fast
