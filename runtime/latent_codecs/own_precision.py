"""Latents are coded in the precision of their nets, whatever torch.autocast says around them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

Method = TypeVar("Method", bound=Callable[..., Any])


def in_own_precision(method: Method) -> Method:
    """A method of a latent codec that runs outside of torch.autocast, on a latent of the dtype of its weights.

    With half of their digits scales choose other tables, and a stream is not decoded; autocast is for the transforms
    around the latent codec.
    """

    @wraps(method)
    def outside(self: nn.Module, latent: Any, *args: Any, **kwargs: Any) -> Any:
        weight = next(self.parameters())
        device = weight.device.type
        if not torch.amp.is_autocast_available(device) or not torch.is_autocast_enabled(device):
            return method(self, latent, *args, **kwargs)
        own = latent.to(weight.dtype) if isinstance(latent, Tensor) else latent
        with torch.autocast(device, enabled=False):
            return method(self, own, *args, **kwargs)

    return cast(Method, outside)
