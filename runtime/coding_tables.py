"""Coding tables that are always ready: made on first use, made again when the weights they come from changed.

CompressAI leaves this to the caller (`update()`), and coding with missing or stale tables is its users' most reported
error. Here a codec looks before it codes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from codecspec.runtime.compressai_classes import (
    EntropyBottleneck,
    EntropyModel,
    GaussianConditional,
    get_scale_table,
)

TABLES = ("_offset", "_quantized_cdf", "_cdf_length")
PRECISION = 16
"""Bits of a cumulative probability in a table."""
TABLES_OF = {EntropyBottleneck: TABLES, GaussianConditional: (*TABLES, "scale_table")}


def entropy_models(module: nn.Module) -> list[EntropyModel]:
    """Every entropy model in `module`, however deep."""
    return [m for m in module.modules() if isinstance(m, (EntropyBottleneck, GaussianConditional))]


def table_names(module: nn.Module) -> tuple[str, ...]:
    """The names of the buffers that hold a module's coding tables; none for what is no entropy model."""
    return next((names for cls, names in TABLES_OF.items() if isinstance(module, cls)), ())


def table_problem(offset: Tensor, cdf: Tensor, length: Tensor, rows: int) -> str | None:
    """What keeps three tensors from being the coding tables of an entropy model with `rows` densities, or None.

    CompressAI's coder takes tables as they are, and never comes back from some that are wrong.
    """
    if offset.numel() == cdf.numel() == length.numel() == 0:
        return None
    if offset.shape != (rows,) or length.shape != (rows,) or cdf.ndim != 2 or cdf.shape[0] != rows:
        shapes = [list(tensor.shape) for tensor in (offset, cdf, length)]
        return f"_offset, _quantized_cdf and _cdf_length of shapes {shapes}; {rows} rows each are needed"
    lengths = length.long().cpu()
    if int(lengths.min()) < 3 or int(lengths.max()) > cdf.shape[1]:
        return f"_cdf_length has rows of {int(lengths.min())} to {int(lengths.max())}, the table {cdf.shape[1]} columns"
    values = cdf.long().cpu()
    inside = torch.arange(cdf.shape[1])[None, :] < lengths[:, None]
    rising = (values[:, 1:] > values[:, :-1]) | ~inside[:, 1:]
    last = values.gather(1, lengths[:, None] - 1)
    if not bool(rising.all()) or bool(values[:, 0].any()) or bool((last != 1 << PRECISION).any()):
        return f"_quantized_cdf has a row that does not rise from 0 to {1 << PRECISION}"
    return None


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
