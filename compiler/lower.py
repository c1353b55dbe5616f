"""spec -> plan: channels and resolution flow through the nodes, and whatever does not fit is said with its line."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import partial
from typing import Any

from codecspec.compiler.canonical import canonical
from codecspec.compiler.kind import Lowering, Place
from codecspec.compiler.kinds.sequence import lower_blocks
from codecspec.compiler.plan import AUX, Node, Plan
from codecspec.schema.auxiliary import CCABranchSpec
from codecspec.schema.channel_groups import ChannelGroupsSpec
from codecspec.schema.errors import SchemaError
from codecspec.schema.fields import SpecModel
from codecspec.schema.load import resolve
from codecspec.schema.model import ModelSpec
from codecspec.schema.overrides import as_overridden

IMAGE = Fraction(1)


def lower(spec: ModelSpec) -> Plan:
    """The plan of a spec.

    Raises:
        SchemaError: channels or resolutions do not fit, groups do not sum, a slice sees the future, ..; all that was
            found, by line, or by the param put in place that makes it so.
    """
    try:
        return _lowered(spec)
    except SchemaError as error:
        raise as_overridden(error, spec.source.overrides, partial(_lower_others, spec, error)) from None


def _lower_others(spec: ModelSpec, error: SchemaError, overrides: Mapping[str, Any]) -> None:
    """Lower a spec that has an error with other params in place; the same error where that tells nothing.

    It tells nothing of a spec that was changed after it was loaded, nor where the spec cannot be loaded with these.
    """
    source = spec.source
    try:
        if source.written is None or resolve(source.written, source.overrides) != spec:
            raise error
        other = resolve(source.written, overrides)
    except SchemaError:
        raise error from None
    _lowered(other)


def _lowered(spec: ModelSpec) -> Plan:
    lowering = Lowering(spec.source)
    g_a = lower_blocks(spec.g_a, Place("g_a", ("g_a",), spec.in_channels, IMAGE), lowering)
    if g_a.scale_out.numerator != 1:
        lowering.problem("E-stride", ("g_a",), f"y would stand at {g_a.scale_out} of the image's side: no whole stride")
    place = Place("latent_codec", ("latent_codec",), g_a.c_out, g_a.scale_out)
    latent_codec = lowering.lower(spec.latent_codec, place)
    g_s = lower_blocks(spec.g_s, Place("g_s", ("g_s",), g_a.c_out, g_a.scale_out), lowering)
    _check_image(spec, g_a, g_s, lowering)
    aux = _lower_aux(spec, latent_codec, lowering)
    if lowering.problems:
        raise SchemaError.collect(lowering.problems)
    return Plan(canonical(_as_lowered(spec, latent_codec, aux), g_a.c_out), (g_a, g_s, latent_codec, *aux))


def _as_lowered(spec: ModelSpec, latent_codec: Node, aux: tuple[Node, ...]) -> ModelSpec:
    """The spec with what only the channels that flow in could tell: the widths that a leaf's ramp comes to."""
    y = latent_codec.child("y").spec
    lowered: dict[str, SpecModel] = {"latent_codec": spec.latent_codec.model_copy(update={"y": y})}
    if spec.aux is not None:
        cca = spec.aux.cca.as_in(aux[0].child("inner_codec").spec)
        lowered["aux"] = spec.aux.model_copy(update={"cca": cca})
    return spec.model_copy(update=lowered)


def _lower_aux(spec: ModelSpec, latent_codec: Node, lowering: Lowering) -> tuple[Node, ...]:
    """The auxiliary branch, if the spec has one: y in the host's groups, given the host's side parameters."""
    if spec.aux is None:
        return ()
    at, y = ("aux", "cca"), spec.latent_codec.y
    if not isinstance(y, ChannelGroupsSpec):
        message = f"the branch codes y in the groups of the spec that it stands in, and y is {y.type}"
        hint = "a hyperprior with y: {type: channel_groups, groups: ..}, or no `aux`"
        lowering.problem("E-groups", at, message, hint)
        return ()
    if not latent_codec.child("y").children:  # its groups are wrong, which was said
        return ()
    place = Place(AUX, at, latent_codec.c_in, latent_codec.scale_in)
    branch = CCABranchSpec(type="cca", inner=spec.aux.cca.inner(y))
    return (lowering.lower_conditional(branch, place, latent_codec.child("h_s").c_out),)


def _check_image(spec: ModelSpec, g_a: Node, g_s: Node, lowering: Lowering) -> None:
    """What g_s gives is an image of the size and channels that g_a takes."""
    last = ("g_s", len(spec.g_s) - 1)
    if g_s.c_out != spec.in_channels:
        message = f"g_s gives {g_s.c_out} channels, and the image that g_a takes has {spec.in_channels}"
        lowering.problem("E-channels", (*last, "out"), message)
    if g_s.scale_out != IMAGE:
        down, up = 1 / g_a.scale_out, g_s.scale_out / g_a.scale_out
        lowering.problem("E-stride", last, f"g_a divides the image's side by {down}, and g_s multiplies it by {up}")
