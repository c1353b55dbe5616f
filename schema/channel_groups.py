"""Channel groups: y in slices, each coded with what the slices before it became (Minnen & Singh, ICIP 2020)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from codecspec.schema.expressions import MAX_VALUE
from codecspec.schema.fields import (
    AS_LIST,
    MAX_SLICES,
    WRONG_FORM,
    Channels,
    Flag,
    Integer,
    Kernel,
    Real,
    SpecModel,
    Widths,
)
from codecspec.schema.leaves import LeafOrLeaves
from codecspec.schema.support import Support
from codecspec.schema.support_transforms import SupportTransformSpec

Proportion = Annotated[Real, Field(gt=0, le=MAX_VALUE)]


class EqualGroups(SpecModel):
    """Slices of equal width."""

    equal: Annotated[Integer, Field(ge=1, le=MAX_SLICES)]
    """How many."""


class ProportionalGroups(SpecModel):
    """Slices of floor(M * p / sum) channels, the remainder to the last; a single number K means K equal slices."""

    proportions: Annotated[tuple[Proportion, ...], AS_LIST, Field(min_length=1, max_length=MAX_SLICES)]
    """One positive number per slice."""


def _groups_form(value: object) -> str | None:
    if isinstance(value, EqualGroups) or (isinstance(value, dict) and "equal" in value):
        return "{equal: K}"
    if isinstance(value, ProportionalGroups) or (isinstance(value, dict) and "proportions" in value):
        return "{proportions: [...]}"
    return "[widths]" if isinstance(value, (list, tuple, str)) else None


GroupsSpec = Annotated[
    Annotated[EqualGroups, Tag("{equal: K}")]
    | Annotated[ProportionalGroups, Tag("{proportions: [...]}")]
    | Annotated[tuple[Channels, ...], AS_LIST, Field(min_length=1, max_length=MAX_SLICES), Tag("[widths]")],
    Discriminator(
        _groups_form,
        custom_error_type=WRONG_FORM,
        custom_error_message="{allowed}",
        custom_error_context={"allowed": "{equal: K}, {proportions: [...]} or a list of widths"},
    ),
]
"""Widths of the slices: `{equal: K}`, `{proportions: [...]}` or a list of channels."""


def group_widths(groups: EqualGroups | ProportionalGroups | tuple[int, ...], channels: int) -> tuple[int, ...]:
    """The channels of each slice of a latent with `channels` channels.

    Raises:
        ValueError: they do not divide, sum or come out positive; says which.
    """
    if isinstance(groups, ProportionalGroups):
        return _proportional(groups.proportions, channels)
    if isinstance(groups, EqualGroups):
        return _equal(groups.equal, channels)
    if sum(groups) != channels:
        raise ValueError(f"the groups sum to {sum(groups)} channels, and y has {channels}")
    return groups


def _equal(count: int, channels: int) -> tuple[int, ...]:
    if channels % count:
        raise ValueError(f"{channels} channels do not divide into {count} equal slices")
    return (channels // count,) * count


def _proportional(proportions: tuple[float, ...], channels: int) -> tuple[int, ...]:
    if len(proportions) == 1:
        count = proportions[0]
        if count != int(count) or count > MAX_SLICES:
            raise ValueError(f"a single proportion is a number of equal slices, 1 to {MAX_SLICES}; found {count:g}")
        return _equal(int(count), channels)
    total = sum(proportions)
    widths = [int(channels * p / total) for p in proportions[:-1]]
    widths.append(channels - sum(widths))
    if min(widths) < 1:
        raise ValueError(f"{channels} channels in these proportions leave a slice empty: {widths}")
    return tuple(widths)


class MeanScaleContextSpec(SpecModel):
    """Two nets per slice over (side half, earlier slices): one gives the means, one the scales."""

    type: Literal["mean_scale"]
    widths: Widths
    """Hidden widths of both nets' 3x3 convolutions; GELU between. Recoverable: yes, from the weights' shapes."""
    transform: SupportTransformSpec | None = None
    """A net over each support before its head; null for none. Recoverable: yes, by its keys."""
    emit_mean_support: Literal["pre", "post", "none"] = "post"
    """What an LRP gets: the mean support before or after `transform`. Recoverable: no."""


class ChannelConvContextSpec(SpecModel):
    """One net per slice over the earlier slices: two parameters per channel for the leaf (He et al., ELIC, CVPR 2022,
    section 3.2: g_ch)."""

    type: Literal["channel_conv"]
    widths: Widths
    """Hidden widths; ReLU between. Recoverable: yes, from the weights' shapes."""
    kernel: Kernel = 5
    """Kernel of every layer. Recoverable: yes, from the weights' shapes."""


ContextSpec = Annotated[MeanScaleContextSpec | ChannelConvContextSpec, Field(discriminator="type")]
"""Any context head."""


class ChannelGroupsSpec(SpecModel):
    """y coded slice by slice, every slice with its context head and its leaf."""

    type: Literal["channel_groups"]
    groups: GroupsSpec
    """Widths of the slices. Recoverable: yes, from the heads' shapes."""
    side_in_context: Flag = False
    """Whether context heads, also that of y0, take the side parameters. Recoverable: yes, from the heads' shapes."""
    support: Support = Support()
    """Earlier slices that a slice sees. Recoverable: from the heads' shapes, but for slices of the same width, and
    never in what order."""
    context: ContextSpec
    """The head that predicts a slice's parameters from its support. Recoverable: yes, by its keys."""
    leaf: LeafOrLeaves
    """One leaf for all slices, or a list whose entries have a `count`. Recoverable: yes, by their
    keys."""
