"""Whether machine code of ours may stand for PyTorch's own functions."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from codecspec.runtime.openmp import team


@cache
def runs_here() -> bool:
    """Whether this machine has what kernels need: a processor with AVX2, and threads to run on."""
    return torch.backends.cpu.get_cpu_capability().startswith("AVX") and team() is not None


def kernels_take(*tensors: Tensor) -> bool:
    """Whether kernels may compute with tensors: all float32 on the CPU, outside of autocast, and they run here."""
    return (
        all(x.dtype == torch.float32 and x.device.type == "cpu" for x in tensors)
        and not torch.is_autocast_enabled("cpu")
        and runs_here()
    )
