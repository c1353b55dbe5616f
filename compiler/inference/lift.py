"""A reading as a whole spec, for a checkpoint of nobody's family: what no weight tells gets a documented default.

a layer without tensors                  gelu
convolution or transposed convolution,   in g_a and h_a a convolution; in g_s and h_s a transposed one from kernel 5
  where both own the same tensors          on, else a convolution
a convolution alone in a sequence, or    the sequence
  sub-pixel upsampling by 1
strides                                  see `strides`
every other field                        the schema's own default
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from codecspec.compiler.inference.strides import WIDE_KERNEL, Blocks, assign_strides
from codecspec.compiler.read_model import ModelReading
from codecspec.compiler.reading import Reading, Row, Unread
from codecspec.schema.channel_groups import ChannelConvContextSpec
from codecspec.schema.support import Support

LIFTED_NAME = "inferred"
"""What a lifted spec is called."""
ACTIVATION = "gelu"
"""What stands for a layer without tensors."""

Written = dict[str, Any]


def lift(reading: ModelReading) -> Written | None:
    """The spec that a reading comes to, as a file would write it; None where a part of it is not understood."""
    latent_codec = reading.latent_codec
    if reading.unread or not isinstance(latent_codec, Reading):
        return None
    if not isinstance(reading.g_a, Row) or not isinstance(reading.g_s, Row):
        return None
    g_a, g_s = _blocks(reading.g_a, synthesis=False), _blocks(reading.g_s, synthesis=True)
    assign_strides(g_a, [g_s])
    written = _latent_codec(latent_codec)
    if written is None:
        return None
    spec: Written = {"codecspec": 1, "name": LIFTED_NAME, "in_channels": reading.in_channels or 3}
    spec |= {"g_a": _clean(g_a), "g_s": _clean(g_s), "latent_codec": written}
    if isinstance(reading.aux, Reading):
        inner = _groups(reading.aux.parts["inner"])
        spec["aux"] = {"cca": {name: inner[name] for name in ("support", "context", "leaf") if name in inner}}
    return spec


def _blocks(row: Row, *, synthesis: bool) -> list[Written]:
    """The blocks of a row, each with the channels that come in as `_c_in`."""
    blocks: list[Written] = []
    channels = row.c_in or 0
    for place in row.places:
        if isinstance(place, Unread):
            raise TypeError(f"{place.path} is not understood")
        if not place:
            blocks.append({"type": ACTIVATION, "_c_in": channels})
            continue
        # What a place allows follows from its neighbours' channels, and so does what is taken here.
        readings = [reading for reading in place if reading.c_in == channels] or list(place)
        taken = _chosen(readings, synthesis=synthesis)
        blocks.append(_block(taken, readings, channels, synthesis=synthesis))
        channels = taken.c_out or channels
    return blocks or [{"type": ACTIVATION, "_c_in": channels}]


def _block(reading: Reading, readings: Sequence[Reading], channels: int, *, synthesis: bool) -> Written:
    """The block that one of several readings is, as `strides` wants it."""
    block = {"type": reading.tag, "_c_in": reading.c_in or channels, **_told(reading)}
    if "blocks" in reading.parts:
        block["blocks"] = _blocks(reading.parts["blocks"], synthesis=synthesis)
    if {"conv", "deconv"} <= {other.tag for other in readings if other.c_out == reading.c_out}:
        block["_either"] = True
    return block


def _chosen(readings: Sequence[Reading], *, synthesis: bool) -> Reading:
    """The one of several readings that is taken."""
    by_tag = {reading.tag: reading for reading in reversed(readings)}
    if {"conv", "deconv"} <= by_tag.keys():
        wide = by_tag["conv"].told["kernel"].value >= WIDE_KERNEL
        return by_tag["deconv" if synthesis and wide else "conv"]
    if {"sequence", "subpel"} <= by_tag.keys() and by_tag["subpel"].told["factor"].value == 1:
        return by_tag["sequence"]
    return readings[0]


def _told(reading: Reading) -> Written:
    return {name: _plain(told.value) for name, told in reading.told.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Support):
        return value.model_dump(mode="json", exclude_defaults=True)
    return list(value) if isinstance(value, tuple) else value


def _latent_codec(reading: Reading) -> Written | None:
    if "h_a" not in reading.parts:
        return {"type": reading.tag, **{name: _node(part) for name, part in reading.parts.items()}}
    h_a, h_s = _blocks(reading.parts["h_a"], synthesis=False), _synthesis(reading.parts["h_s"])
    assign_strides(h_a, h_s)
    y = reading.parts["y"]
    if y.tag == "channel_groups" and not {"groups", "support"} <= y.told.keys():
        return None
    nets = [_clean(blocks) for blocks in h_s]
    return {
        "type": reading.tag,
        "h_a": _clean(h_a),
        "h_s": nets[0] if len(nets) == 1 else {"type": "dual", "mean": nets[0], "scale": nets[1]},
        "z": _node(reading.parts["z"]),
        "y": _groups(y) if y.tag == "channel_groups" else _node(y),
    }


def _synthesis(part: Any) -> list[list[Written]]:
    """The one or two rows of blocks of a hyper-synthesis."""
    rows = [part] if isinstance(part, Row) else [part.parts["mean"], part.parts["scale"]]
    return [_blocks(row, synthesis=True) for row in rows]


def _groups(reading: Reading) -> Written:
    """Channel groups, with the leaf of every slice."""
    context = reading.parts.get("context")
    return {
        "type": reading.tag,
        **_told(reading),
        "context": _node(context) if context is not None else _no_context(),
        "leaf": [{**_node(leaf), "count": 1} for leaf in reading.parts["leaf"]],
    }


def _no_context() -> Written:
    """A context for slices none of which has a head."""
    return ChannelConvContextSpec.model_construct(type="channel_conv", widths=()).model_dump(mode="json")


def _node(reading: Reading) -> Written:
    """A node without blocks."""
    parts = {name: _node(part) for name, part in reading.parts.items()}
    return {"type": reading.tag, **_told(reading), **parts}


def _clean(blocks: Blocks) -> list[Written]:
    """Blocks without what only the assignment of strides needs."""
    cleaned: list[Written] = []
    for block in blocks:
        plain = {name: value for name, value in block.items() if not name.startswith("_")}
        cleaned.append({**plain, "blocks": _clean(block["blocks"])} if "blocks" in block else plain)
    return cleaned
