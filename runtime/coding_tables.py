"""Coding tables that are always ready: made on first use, made again when the weights they come from changed.

CompressAI leaves this to the caller (`update()`), and coding with missing or stale tables is its users' most reported
error. Here a codec looks before it codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary, WeakValueDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from xxhash import xxh3_128_digest

from codecspec.runtime.compressai_classes import (
    EntropyBottleneck,
    EntropyModel,
    GaussianConditional,
    get_scale_table,
)
from codecspec.runtime.entropy_coding.scale_index import scale_indexes
from codecspec.runtime.entropy_coding.tables import CodingTables

TABLES = ("_offset", "_quantized_cdf", "_cdf_length")
TABLES_OF = {EntropyBottleneck: TABLES, GaussianConditional: (*TABLES, "scale_table")}


def entropy_models(module: nn.Module) -> list[EntropyModel]:
    """Every entropy model in `module`, however deep."""
    return [m for m in module.modules() if isinstance(m, (EntropyBottleneck, GaussianConditional))]


def table_names(module: nn.Module) -> tuple[str, ...]:
    """The names of the buffers that hold a module's coding tables; none for what is no entropy model."""
    return next((names for cls, names in TABLES_OF.items() if isinstance(module, cls)), ())


def coding_tables(model: EntropyModel) -> CodingTables:
    """The tables of an entropy model as coders take them; kept until the model gets others.

    Models with equal tables, as all Gaussian conditionals of a codec have, share them.
    """
    buffers = [getattr(model, name) for name in TABLES]
    known = _ARRAYS.get(model)
    if known is not None and known.is_of(buffers):
        return known.tables
    offsets, cdf, lengths = (buffer.detach().to("cpu", torch.int32).contiguous().numpy() for buffer in buffers)
    content = xxh3_128_digest(b"".join(array.tobytes() for array in (lengths, offsets, cdf)))
    tables = _SHARED.get(content)
    if tables is None:
        tables = _SHARED[content] = CodingTables(cdf, lengths, offsets)
    if not any(buffer.is_inference() for buffer in buffers):  # those do not say whether they changed
        _ARRAYS[model] = _Arrays(buffers, [buffer._version for buffer in buffers], tables)
    return tables


def gaussian_scales(model: GaussianConditional) -> NDArray[np.float32]:
    """The scales of a Gaussian conditional's tables, rising."""
    scales: NDArray[np.float32] = model.scale_table.detach().to("cpu", torch.float32).numpy()
    return scales


def lower_bound(model: GaussianConditional) -> float:
    """What a scale is at least, before a table is chosen by it."""
    return float(model.lower_bound_scale.bound)


def gaussian_indexes(model: GaussianConditional, scales: NDArray[np.float32]) -> NDArray[np.int32]:
    """The table of each scale (n,), as `GaussianConditional.build_indexes` finds it."""
    return scale_indexes(scales, gaussian_scales(model), lower_bound(model))


@dataclass(frozen=True)
class _Arrays:
    """Tables, and the buffers that they were made of: those very tensors, unchanged since."""

    buffers: list[Tensor]
    versions: list[int]
    tables: CodingTables

    def is_of(self, buffers: list[Tensor]) -> bool:
        same = all(ours is theirs for ours, theirs in zip(self.buffers, buffers, strict=True))
        return same and self.versions == [buffer._version for buffer in buffers]


_ARRAYS: WeakKeyDictionary[EntropyModel, _Arrays] = WeakKeyDictionary()
_SHARED: WeakValueDictionary[bytes, CodingTables] = WeakValueDictionary()


class TableKeeper:
    """Keeps the coding tables of a codec in step with its weights.

    A bottleneck's tables were made of its parameters; the keeper holds a copy of those (some 50 kB) and compares. The
    tables of Gaussian conditionals come from their scales alone, so equal ones are made once and shared.
    """

    def __init__(self) -> None:
        self._made_of: dict[int, list[Tensor]] = {}

    def accept(self, module: nn.Module) -> None:
        """Take the tables that are there, just loaded with their weights, as made of them."""
        for model in entropy_models(module):
            if isinstance(model, EntropyBottleneck) and model._offset.numel():
                self._made_of[id(model)] = _snapshot(model)

    @torch.no_grad()
    @torch.inference_mode(False)  # buffers that serve outside of it, too
    def prepare(self, module: nn.Module) -> bool:
        """Make every table that is missing or stale; True if there was one."""
        changed = False
        ready: dict[bytes, GaussianConditional] = {}
        for model in entropy_models(module):
            if isinstance(model, EntropyBottleneck):
                changed |= self._prepare_bottleneck(model)
            else:
                changed |= _prepare_gaussian(model, ready)
        return changed

    def _prepare_bottleneck(self, model: EntropyBottleneck) -> bool:
        now = _snapshot(model)
        before = self._made_of.get(id(model))
        fresh = before is not None and all(torch.equal(a, b) for a, b in zip(before, now, strict=True))
        if fresh and model._offset.numel():
            return False
        model.update(force=True)
        self._made_of[id(model)] = now
        return True


def _snapshot(model: EntropyBottleneck) -> list[Tensor]:
    return [parameter.detach().to("cpu", copy=True) for parameter in model.parameters()]


def _prepare_gaussian(model: GaussianConditional, ready: dict[bytes, GaussianConditional]) -> bool:
    if model._offset.numel() and model.scale_table.numel():
        return False
    scales = model.scale_table if model.scale_table.numel() else get_scale_table()
    key = scales.detach().cpu().numpy().tobytes()
    twin = ready.get(key)
    if twin is None:
        model.update_scale_table(scales.tolist(), force=True)
        ready[key] = model
    else:
        for name in table_names(model):
            setattr(model, name, getattr(twin, name).clone())
    return True
