"""Manifests of plans in every layout: names, types and shapes, without a tensor."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from codecspec import specs
from codecspec.compiler.checkpoints import TensorInfo
from codecspec.compiler.derived_tensors import DERIVED
from codecspec.compiler.layouts import CANONICAL, Layout, layouts
from codecspec.compiler.plan import Plan

Infos = dict[str, TensorInfo]


def canonical_infos(plan: Plan) -> Infos:
    """A plan's tensors under the canonical keys."""
    return {key: TensorInfo(tensor.dtype, tensor.shape) for key, tensor in plan.manifest().items()}


def infos_in(layout: Layout | None, plan: Plan) -> Infos:
    """A plan's tensors under the keys of a layout (None: the canonical one), with those that it derives from others."""
    infos = canonical_infos(plan)
    if layout is None:
        return infos
    keymap = layout.from_canonical(infos)
    assert keymap.unknown == []
    there = {move.target: _moved(infos[move.sources[0]], move.op) for move in keymap.moves}
    made = {made.key: TensorInfo("float32", DERIVED[made.op].shape(there[made.of].shape)) for made in keymap.made}
    return there | made


def _moved(info: TensorInfo, op: str | None) -> TensorInfo:
    if op is None:
        return info
    assert op == "relative_position_table"
    rows, heads = info.shape
    return TensorInfo(info.dtype, (heads, math.isqrt(rows), math.isqrt(rows)))


def with_filled_tables(infos: Mapping[str, TensorInfo]) -> Infos:
    """The same after the coding tables were made."""
    ends = {"_offset": (7,), "_cdf_length": (7,), "_quantized_cdf": (7, 21), "scale_table": (7,)}
    filled = {}
    for key, info in infos.items():
        shape = ends.get(key.rpartition(".")[2])
        filled[key] = TensorInfo(info.dtype, shape) if shape else info
    return filled


def zoo_layouts() -> Iterator[tuple[str, Layout | None]]:
    """Every spec of the zoo in each layout that it has, the canonical one (None) first."""
    for name in specs.names():
        for layout in (None, *layouts()):
            if layout is None or name in layout.families:
                yield name, layout


def name_of(layout: Layout | None) -> str:
    """What an inference calls a layout."""
    return layout.name if layout else CANONICAL
