"""How much memory torch's tensors take while a codec runs: counted on the meta device, where nothing is computed."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from codecspec.runtime.factorized_density import TraceableEntropyBottleneck


class LiveTensors(TorchDispatchMode):
    """Counts the bytes of every storage that is made inside, until it is freed; `peak` by `part`.

    Args:
        module: its parameters and buffers do not count.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.live = 0
        self.part = ""
        self.peak: dict[str, int] = {}
        own = [*module.parameters(), *module.buffers()]
        self._known = weakref.WeakKeyDictionary({tensor.untyped_storage(): 0 for tensor in own})

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Sequence[type], args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor) and tensor.untyped_storage() not in self._known:
                storage = tensor.untyped_storage()
                self.live += storage.nbytes()
                self._known[storage] = 0
                weakref.finalize(storage, self._free, storage.nbytes())
        self.peak[self.part] = max(self.peak.get(self.part, 0), self.live)
        return out

    def _free(self, size: int) -> None:
        self.live -= size


class OnMeta:
    """Inside, an entropy bottleneck computes no density: it gives what it takes, and as many likelihoods."""

    def __enter__(self) -> Self:
        self._forward = TraceableEntropyBottleneck.forward
        TraceableEntropyBottleneck.forward = lambda _, x, training=None: (x + 0, torch.ones_like(x))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        TraceableEntropyBottleneck.forward = self._forward
