"""Specs that own exactly the same tensors as another: what no weight tells apart, written out one change at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from codecspec.compiler.canonical import spec_hash
from codecspec.compiler.lower import lower
from codecspec.compiler.plan import Plan
from codecspec.schema.channel_groups import ChannelGroupsSpec
from codecspec.schema.errors import SchemaError
from codecspec.schema.fields import SpecModel
from codecspec.schema.model import ModelSpec
from codecspec.schema.support import Support

ACTIVATIONS = ("relu", "leaky_relu", "gelu")
_TWINS = (("latent_codec.h_s.mean.", "latent_codec.h_s.scale."),)
_TWIN_STEPS = (("mean_cc", "scale_cc"), ("mean_support_transform", "scale_support_transform"))


Aspect = Literal["chunks", "parity", "support", "activation", "nets", "values"]
"""What of a spec, or of a file, differs."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A plan with the tensors of another.

    Args:
        aspect: what is different.
        change: the difference, in words.
        plan: its plan; the manifest is that of the other.
        renamed: keys of which tensors are taken in place of their own: pairs of nets that were swapped.
        rooted: keys of tensors whose square roots are taken.
    """

    aspect: Aspect
    change: str
    plan: Plan
    renamed: dict[str, str] = field(default_factory=dict)
    rooted: tuple[str, ...] = ()


def variants(plan: Plan) -> list[Variant]:
    """Every spec one change away whose plan has exactly the tensors of `plan`, and means something else.

    Mean and scale swapped, the emitted mean support before or after its transform, first or recent slices and their
    order, parity, activations; and nets for mean and scale whose weights are under each other's keys, and GDNs whose
    parameters are as the formula has them, where CompressAI keeps square roots.
    """
    found: list[Variant] = []
    seen = {spec_hash(plan.spec)}
    for aspect, change, spec in _changed(plan.spec):
        try:
            other = lower(spec)
        except SchemaError:
            continue  # no spec after that change
        if spec_hash(other.spec) not in seen and other.manifest() == plan.manifest():
            seen.add(spec_hash(other.spec))
            found.append(Variant(aspect, change, other))
    return [*found, *_swapped_nets(plan), *_plain_gdn(plan)]


def _changed(spec: ModelSpec) -> Iterator[tuple[Aspect, str, ModelSpec]]:
    def swapped_chunks(node: SpecModel) -> dict[str, Any]:
        chunks = getattr(node, "chunks", ())
        return {"chunks": chunks[::-1]} if len(chunks) == 2 else {}

    def other_parity(node: SpecModel) -> dict[str, Any]:
        parity = getattr(node, "parity", None)
        return {} if parity is None else {"parity": "odd" if parity == "even" else "even"}

    def emitted(node: SpecModel) -> dict[str, Any]:
        emit = getattr(node, "emit_mean_support", None)
        return {"emit_mean_support": {"pre": "post", "post": "pre"}[emit]} if emit in ("pre", "post") else {}

    chunks = _first(spec, "chunks")
    yield "chunks", f"chunks are {', '.join(chunks[::-1])}", _with(spec, swapped_chunks)
    parity = _first(spec, "parity")
    yield (
        "parity",
        f"anchors are where row + column is {'odd' if parity == 'even' else 'even'}",
        _with(spec, other_parity),
    )
    emit = _first(spec, "emit_mean_support")
    yield "support", f"the mean support is emitted {'post' if emit == 'pre' else 'pre'} transform", _with(spec, emitted)
    for change, other in _supports(spec):
        yield "support", change, other
    for change, other in _activations(spec):
        yield "activation", change, other


def _supports(spec: ModelSpec) -> Iterator[tuple[str, ModelSpec]]:
    y = spec.latent_codec.y
    if not isinstance(y, ChannelGroupsSpec) or not isinstance(y.groups, tuple):
        return
    seen = y.support.indices(len(y.groups))
    longest = max(map(len, seen), default=0)
    others = {
        f"the first {longest} slices are seen": Support(filter="first", max=longest),
        f"the most recent {longest} slices are seen": Support(filter="recent", max=longest),
        "slices are seen in the opposite order": Support(slices=tuple(each[::-1] for each in seen)),
    }
    for change, support in others.items():
        other = y.model_copy(update={"support": support})
        yield change, _with_y(spec, other)


def _with_y(spec: ModelSpec, y: ChannelGroupsSpec) -> ModelSpec:
    return spec.model_copy(update={"latent_codec": spec.latent_codec.model_copy(update={"y": y})})


def _activations(spec: ModelSpec) -> Iterator[tuple[str, ModelSpec]]:
    for name in ACTIVATIONS:
        for other in ACTIVATIONS:
            if other != name:
                yield f"every {name} is a {other}", _replaced(spec, name, other)


def _replaced(spec: ModelSpec, name: str, other: str) -> ModelSpec:
    """The spec with one type of block in place of another, both without fields."""
    from codecspec.schema import blocks

    made = {"relu": blocks.ReLUSpec, "leaky_relu": blocks.LeakyReLUSpec, "gelu": blocks.GELUSpec}[other](type=other)

    def walk(node: Any) -> Any:
        if isinstance(node, tuple):
            return tuple(walk(item) for item in node)
        if not isinstance(node, SpecModel):
            return node
        if getattr(node, "type", None) == name:
            return made
        return node.model_copy(update={field: walk(getattr(node, field)) for field in type(node).model_fields})

    replaced: ModelSpec = walk(spec)
    return replaced


def _with(spec: ModelSpec, change: Callable[[SpecModel], dict[str, Any]]) -> ModelSpec:
    """The spec with the fields that `change` names of each node in place."""

    def walk(node: Any) -> Any:
        if isinstance(node, tuple):
            return tuple(walk(item) for item in node)
        if not isinstance(node, SpecModel):
            return node
        fields = {field: walk(getattr(node, field)) for field in type(node).model_fields}
        return node.model_copy(update=fields | change(node))

    changed: ModelSpec = walk(spec)
    return changed


def _first(node: Any, name: str) -> Any:
    """The first field of that name with a value to speak of, anywhere in a spec; empty text for none."""
    if isinstance(node, tuple):
        return next((found for item in node if (found := _first(item, name))), "")
    if not isinstance(node, SpecModel):
        return ""
    own = getattr(node, name, None) if name in type(node).model_fields else None
    return own or next(
        (found for field in type(node).model_fields if (found := _first(getattr(node, field), name))), ""
    )


def _swapped_nets(plan: Plan) -> Iterator[Variant]:
    """Nets for means and for scales of the same shapes, with each other's weights."""
    manifest = plan.manifest()
    sides = {key: _twin(key, _TWINS) for key in manifest if _twin(key, _TWINS) != key}
    heads = {key: twin for key in manifest if (twin := _twin_step(key)) != key}
    both = {**sides, **heads}
    for change, renamed in (
        ("the weights of h_s.mean and h_s.scale are under each other's keys", sides),
        ("the weights of the heads for means and scales are under each other's keys", heads),
        ("the weights of all nets for means and scales are under each other's keys", both if sides and heads else {}),
    ):
        if renamed and all(twin in manifest and manifest[twin] == manifest[key] for key, twin in renamed.items()):
            yield Variant("nets", change, plan, renamed)


def _plain_gdn(plan: Plan) -> Iterator[Variant]:
    """GDNs by the formula of Balle et al. (ICLR 2016), from a program that does not keep roots of beta and gamma."""
    marks = (("beta", ".beta_reparam.pedestal"), ("gamma", ".gamma_reparam.pedestal"))
    keys = [f"{key.removesuffix(mark)}.{name}" for key in plan.manifest() for name, mark in marks if key.endswith(mark)]
    if keys:
        change = "beta and gamma of GDNs are in the file as they are, not their square roots"
        yield Variant("values", change, plan, rooted=tuple(keys))


def _twin(key: str, pairs: tuple[tuple[str, str], ...]) -> str:
    for one, other in pairs:
        for here, there in ((one, other), (other, one)):
            if key.startswith(here):
                return there + key.removeprefix(here)
    return key


def _twin_step(key: str) -> str:
    """The key with a step of it exchanged for its twin."""
    twins = {a: b for pair in _TWIN_STEPS for a, b in (pair, pair[::-1])}
    return ".".join(twins.get(step, step) for step in key.split("."))
