"""What only training runs beside a codec: `aux: {cca: {...}}`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from codecspec.schema.channel_groups import ChannelGroupsSpec, MeanScaleContextSpec
from codecspec.schema.fields import SpecModel
from codecspec.schema.leaves import LeafOrLeaves
from codecspec.schema.support import Support


class CCASpec(SpecModel):
    """The causal context adjustment branch (Han et al., CCA, NeurIPS 2024): y coded once more, without the most recent
    slice, and once by itself, so that a loss can measure what that slice contributes.

    Groups and side parameters are those of the spec that it stands in, whose y is in channel groups.
    """

    support: Support = Support(filter="skip_most_recent")
    """Which earlier slices, of its own y_hat, a slice sees. Recoverable: as that of channel groups."""
    context: Annotated[MeanScaleContextSpec, Field(discriminator="type")]
    """The head that predicts a slice's parameters from its support and the side parameters. Recoverable: yes, by
    its keys."""
    leaf: LeafOrLeaves
    """One leaf for all slices, or a list whose entries have a `count`. Recoverable: yes, by their
    keys."""

    def as_in(self, inner: ChannelGroupsSpec) -> CCASpec:
        """The branch whose channel groups are `inner`, its own in another form."""
        return self.model_copy(update={name: getattr(inner, name) for name in CCASpec.model_fields})

    def inner(self, host: ChannelGroupsSpec) -> ChannelGroupsSpec:
        """The channel groups that the branch codes y in, beside those of its host."""
        return ChannelGroupsSpec(
            type="channel_groups",
            groups=host.groups,
            side_in_context=True,
            support=self.support,
            context=self.context,
            leaf=self.leaf,
        )


class AuxSpec(SpecModel):
    """The auxiliary branches of a spec."""

    cca: CCASpec
    """The causal context adjustment branch."""


class CCABranchSpec(SpecModel):
    """What the branch's node in a plan says; a spec writes `aux: {cca: {...}}`."""

    type: Literal["cca"]
    inner: ChannelGroupsSpec
    """Its channel groups, with the host's groups."""
