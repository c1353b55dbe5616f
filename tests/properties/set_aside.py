"""What is left of a spec once everything is set aside that no weight can tell.

Written from what each node's tensors are, and not from how they are read: two specs come to the same here exactly when
they say the same wherever a tensor can tell.
"""

from __future__ import annotations

from typing import Any

from codecspec.schema.model import ModelSpec

Form = Any

ACTIVATIONS = ("relu", "leaky_relu", "gelu", "abs")
NOTHING = "a layer without tensors"

UNTOLD: dict[str, tuple[str, ...]] = {
    "conv": ("stride",),
    "deconv": ("stride",),
    "gdn": ("inverse",),
    "residual_stride": ("stride",),
    "window_gate": ("shift",),
    "conv_trans": ("shift",),
    "swin": ("shift", "drop_path"),
    "entropy_bottleneck": ("quantizer",),
    "gaussian": ("quantizer",),
    "lrp_gaussian": ("quantizer", "lrp_scale"),
    "checkerboard": ("quantizer", "chunks", "parity"),
    "raster_scan": ("chunks",),
    "mean_scale": ("emit_mean_support",),
    "channel_groups": ("support",),
}
"""By kind of node, the fields that no weight tells: of `support`, the channels that each slice sees are told."""


def set_aside(spec: ModelSpec) -> Form:
    """What tensors tell of a canonical spec."""
    said = spec.model_dump(mode="json")
    g_a, latent = _row(said["g_a"], said["in_channels"])
    g_s, _ = _row(said["g_s"], latent)
    form = {"in_channels": said["in_channels"], "g_a": g_a, "g_s": g_s}
    return form | {"latent_codec": _latent_codec(said["latent_codec"], latent), "aux": _aux(said)}


def _plain(node: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in node.items() if name not in UNTOLD.get(node["type"], ())}


def _row(blocks: list[dict[str, Any]], channels: int) -> tuple[list[Form], int]:
    """The blocks of a row without those at its end that have no tensors, and the channels that it gives."""
    row: list[Form] = []
    for block in blocks:
        form, channels = _block(block, channels)
        row.append(form)
    while row and row[-1] == NOTHING:
        row.pop()
    return row, channels


def _block(block: dict[str, Any], channels: int) -> tuple[Form, int]:
    tag, plain = block["type"], _plain(block)
    out = block.get("out", channels)
    if tag in ACTIVATIONS:
        return NOTHING, channels
    if tag == "sequence":
        row, out = _row(block["blocks"], channels)
        return (row or NOTHING), out
    if tag in ("conv", "deconv") and out == channels:
        return {**plain, "type": "conv or deconv"}, out
    if tag == "subpel" and block["factor"] == 1:  # the tensors of a sequence of one convolution
        conv, out = _block({"type": "conv", "out": out, "kernel": block["kernel"]}, channels)
        return [conv], out
    if tag == "residual_stride":
        return {**plain, "skips": out != channels or block["stride"] > 1}, out
    return plain, {"patch_merge": 2 * channels, "patch_split": channels // 2}.get(tag, out)


def _latent_codec(codec: dict[str, Any], latent: int) -> Form:
    if codec["type"] == "factorized":
        return {"type": "factorized", "y": _plain(codec["y"])}
    h_a, hyper = _row(codec["h_a"], latent)
    dual = isinstance(codec["h_s"], dict)
    nets = [codec["h_s"]["mean"], codec["h_s"]["scale"]] if dual else [codec["h_s"]]
    return {
        "h_a": h_a,
        "h_s": [_row(net, hyper)[0] for net in nets],
        "z": _plain(codec["z"]),
        "y": _y(codec["y"]),
    }


def _y(y: dict[str, Any]) -> Form:
    if y["type"] == "channel_groups":
        return _groups(y, y["groups"], side_in_context=y["side_in_context"])
    return _leaf(y)


def _leaf(leaf: dict[str, Any]) -> Form:
    plain = {name: value for name, value in _plain(leaf).items() if name != "count"}
    if leaf["type"] == "gaussian":
        return {**plain, "chunks": sorted(leaf["chunks"])}
    return plain


def _groups(said: dict[str, Any], widths: list[int], *, side_in_context: bool) -> Form:
    """Channel groups: of the support, what each slice sees in channels; of a context, what some head has."""
    seen = [sum(widths[j] for j in slices) for slices in _slices(said["support"], len(widths))]
    leaves = [leaf for leaf in said["leaf"] for _ in range(leaf["count"] if leaf["count"] is not None else len(widths))]
    context = _plain(said["context"]) if side_in_context or any(seen) else None
    return {"groups": widths, "side_in_context": side_in_context, "seen": seen, "context": context,
            "leaf": [_leaf(leaf) for leaf in leaves]}  # fmt: skip


def _slices(support: dict[str, Any], num_slices: int) -> list[list[int]]:
    if support["slices"] is not None:
        return list(support["slices"])
    most = num_slices if support["max"] is None else support["max"]
    return {
        "all": [list(range(k)) for k in range(num_slices)],
        "first": [list(range(min(k, most))) for k in range(num_slices)],
        "recent": [list(range(max(0, k - most), k)) for k in range(num_slices)],
        "first_and_recent": [sorted({0, k - 1} if k else set()) for k in range(num_slices)],
        "skip_most_recent": [list(range(max(0, k - 1))) for k in range(num_slices)],
    }[support["filter"]]


def _aux(said: dict[str, Any]) -> Form:
    if said["aux"] is None:
        return None
    return _groups(said["aux"]["cca"], said["latent_codec"]["y"]["groups"], side_in_context=True)
