"""The one way to say a spec, and its hash.

Two specs mean the same codec exactly when their canonical forms are equal: expressions evaluated and repeats unrolled
(loading does that), groups as widths, the support under its first fitting name, leaves in runs, an emitted support that
no transform changes or that nobody reads normalised, defaults filled in, keys in the schema's order. Name, reference
and params are no part of it.

The hash says which codec it is, so what only training sees is no part of it either: an auxiliary branch is a part of
the canonical form and none of the hash, since with it and without it the same images become the same streams. The hash
is over the canonical form *without* fields at their defaults: a later release that adds an optional field keeps the
hash of every spec that does not use it, and with it every stream.
"""

from __future__ import annotations

import hashlib
import json
from itertools import groupby
from typing import Any, Literal

from codecspec.compiler.kinds import conditional_kind_of
from codecspec.schema.auxiliary import AuxSpec
from codecspec.schema.channel_groups import ChannelGroupsSpec, ContextSpec, MeanScaleContextSpec, group_widths
from codecspec.schema.fields import SpecModel
from codecspec.schema.leaves import Leaves, leaf_per_slice
from codecspec.schema.model import ModelSpec
from codecspec.schema.yaml_source import write_yaml

_NOT_MEANING = {"name", "reference", "params"}


def canonical(spec: ModelSpec, latent_channels: int) -> ModelSpec:
    """The canonical form of a spec without problems, whose g_a gives `latent_channels`."""
    y = spec.latent_codec.y
    if not isinstance(y, ChannelGroupsSpec):
        return spec
    y = _canonical_groups(y, latent_channels)
    latent_codec = spec.latent_codec.model_copy(update={"y": y})
    return spec.model_copy(update={"latent_codec": latent_codec, "aux": _canonical_aux(spec.aux, y, latent_channels)})


def canonical_dict(canonical_spec: ModelSpec) -> dict[str, Any]:
    """A canonical spec as plain data, defaults filled in, without name, reference and params."""
    return canonical_spec.model_dump(mode="json", exclude=_NOT_MEANING)


def dump_spec(spec: ModelSpec) -> str:
    """A canonical spec as YAML text that loads to the same."""
    named = {
        "name": spec.name,
        "reference": spec.reference.model_dump(mode="json", exclude_defaults=True) if spec.reference else None,
    }
    content = canonical_dict(spec)
    ordered = {"codecspec": content.pop("codecspec"), **{k: v for k, v in named.items() if v}, **content}
    return write_yaml(ordered)


def spec_hash(canonical_spec: ModelSpec) -> str:
    """SHA-256 of what a canonical spec means to its coder, as 64 hexadecimal digits."""
    coder: ModelSpec = _without_training(canonical_spec)
    y = coder.latent_codec.y
    if isinstance(y, ChannelGroupsSpec) and isinstance(
        y.groups, tuple
    ):  # leaves that differ in training alone: one run
        coder = canonical(coder, sum(y.groups))
    said = coder.model_dump(mode="json", exclude=_NOT_MEANING, exclude_defaults=True)
    return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _without_training(node: Any) -> Any:
    """A spec, or a part of one, with what only training sees at its default."""
    if isinstance(node, tuple):
        return tuple(_without_training(item) for item in node)
    if not isinstance(node, SpecModel):
        return node
    fields = type(node).model_fields
    values = {name: _without_training(getattr(node, name)) for name in fields}
    return node.model_copy(update=values | {name: fields[name].default for name in type(node).training_only})


def _canonical_aux(aux: AuxSpec | None, host: ChannelGroupsSpec, channels: int) -> AuxSpec | None:
    """The auxiliary branch in its host's canonical groups."""
    if aux is None:
        return None
    inner = _canonical_groups(aux.cca.inner(host), channels)
    return aux.model_copy(update={"cca": aux.cca.as_in(inner)})


def _canonical_groups(y: ChannelGroupsSpec, channels: int) -> ChannelGroupsSpec:
    widths = group_widths(y.groups, channels)
    num_slices = len(widths)
    leaves = _runs(y.leaf, num_slices)
    read = any(conditional_kind_of(leaf).reads_mean_support for leaf in leaves)
    return y.model_copy(
        update={
            "groups": widths,
            "support": y.support.canonical(num_slices),
            "context": _canonical_context(y.context, read),
            "leaf": leaves,
        }
    )


def _runs(leaves: Leaves, num_slices: int) -> Leaves:
    """The leaves as runs of equal neighbours, each with its count; a single run without one."""
    per_slice = leaf_per_slice(leaves, num_slices)
    runs = [(leaf, len(list(run))) for leaf, run in groupby(per_slice)]
    if len(runs) == 1:
        return (runs[0][0],)
    return tuple(leaf.model_copy(update={"count": count}) for leaf, count in runs)


def _canonical_context(context: ContextSpec, read: bool) -> ContextSpec:
    if not isinstance(context, MeanScaleContextSpec):
        return context
    emit: Literal["pre", "post", "none"] = context.emit_mean_support if read else "none"
    if emit == "pre" and context.transform is None:
        emit = "post"
    return context.model_copy(update={"emit_mean_support": emit})
