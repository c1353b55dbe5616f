"""Modules whose weights come from a checkpoint: made without memory for them, and without initial values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn import init
from torch.overrides import TorchFunctionMode

_INITIALISING = frozenset(
    {
        init.constant_,
        init.kaiming_normal_,
        init.kaiming_uniform_,
        init.normal_,
        init.ones_,
        init.trunc_normal_,
        init.uniform_,
        init.xavier_normal_,
        init.xavier_uniform_,
        init.zeros_,
    }
)


class WithoutWeights(TorchFunctionMode):
    """A context in which `torch.empty`, of which modules make their weights, gives tensors on the meta device, and
    `torch.nn.init` does nothing.

    `torch.device("meta")` alone has torch work out the shape of every initial value, in Python: more than half of the
    time of making a model. All else that a constructor computes, it computes as ever, and most of it on the CPU: GDN's
    and entropy models' cannot run on the meta device.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func in _INITIALISING:
            return args[0] if args else kwargs["tensor"]
        if func is torch.empty and kwargs.get("device") is None:
            kwargs["device"] = "meta"
        return func(*args, **kwargs)
