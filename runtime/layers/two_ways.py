"""Layers that compute in two ways: as the published code does, and faster, with other rounding errors."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class TwoWays(nn.Module):
    """A layer whose `fast` way is chosen from outside, for a whole codec at once (`choose_way`).

    The fast way is for inference alone: where gradients are recorded, or torch.compile traces, the plain way is taken,
    so that training computes what it always did. (A codec in evaluation records none; see `runtime/recomputed.py`.)
    """

    fast: bool = False

    def goes_fast(self) -> bool:
        """Whether this call takes the fast way."""
        return self.fast and not torch.is_grad_enabled() and not torch.compiler.is_compiling()

    def goes_fast_on_cpu(self, x: Tensor) -> bool:
        """Whether this call takes a fast way that is one for the CPU alone: bands of rows, products head by head."""
        return self.goes_fast() and x.device.type == "cpu"


class FastOnCPU(TwoWays):
    """A published layer with a fast way for the CPU; stands before the published class among the bases."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        if self.goes_fast_on_cpu(x):
            return self._fast(x)
        out: Tensor = super().forward(x)
        return out

    def _fast(self, x: Tensor) -> Tensor:
        raise NotImplementedError


def choose_way(module: nn.Module, *, fast: bool) -> None:
    """Have every layer in `module` that knows two ways take the fast one, or the plain one."""
    for layer in module.modules():
        if isinstance(layer, TwoWays):
            layer.fast = fast
