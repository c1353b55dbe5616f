"""The latent codecs: how y becomes bits, and what it is predicted from."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Discriminator, Field, Tag

from codecspec.schema.blocks import Blocks
from codecspec.schema.channel_groups import ChannelGroupsSpec
from codecspec.schema.fields import WRONG_FORM, SpecModel
from codecspec.schema.leaves import CheckerboardSpec, GaussianSpec, Quantizer, RasterScanSpec


class DualHyperSynthesisSpec(SpecModel):
    """Two parallel nets over z_hat, concatenated: means first, then scales."""

    type: Literal["dual"]
    mean: Blocks
    """h_mean_s: z_hat -> the mean half of the side parameters. Recoverable: block by block."""
    scale: Blocks
    """h_scale_s: z_hat -> the scale half of the side parameters. Recoverable: block by block."""


def _synthesis_form(value: object) -> str | None:
    if isinstance(value, (DualHyperSynthesisSpec, dict)):
        return "{type: dual, mean: [...], scale: [...]}"
    return "[blocks]" if isinstance(value, (list, tuple)) else None


_OnlyDual = Annotated[DualHyperSynthesisSpec, Field(discriminator="type")]
HyperSynthesisSpec = Annotated[
    Annotated[_OnlyDual, Tag("{type: dual, mean: [...], scale: [...]}")] | Annotated[Blocks, Tag("[blocks]")],
    Discriminator(
        _synthesis_form,
        custom_error_type=WRONG_FORM,
        custom_error_message="{allowed}",
        custom_error_context={"allowed": "a list of blocks, or {type: dual, mean: [...], scale: [...]}"},
    ),
]
"""One list of blocks, or two nets side by side."""


class EntropyBottleneckSpec(SpecModel):
    """A learned, factorized density, for a latent coded by itself (Balle et al., ICLR 2018)."""

    training_only: ClassVar[frozenset[str]] = frozenset({"quantizer"})

    type: Literal["entropy_bottleneck"]
    quantizer: Quantizer = "noise"
    """Quantization in training: additive noise, or straight-through rounding. Recoverable: no."""


OnlyBottleneck = Annotated[EntropyBottleneckSpec, Field(discriminator="type")]
"""How a latent is coded by itself."""

YSpec = Annotated[ChannelGroupsSpec | GaussianSpec | CheckerboardSpec | RasterScanSpec, Field(discriminator="type")]
"""How y is coded, given the side parameters."""


class HyperpriorSpec(SpecModel):
    """y coded with parameters computed from z, which is coded first (Balle et al., ICLR 2018)."""

    type: Literal["hyperprior"]
    h_a: Blocks
    """The hyper-analysis: y -> z. Recoverable: block by block."""
    h_s: HyperSynthesisSpec
    """The hyper-synthesis: z_hat -> side parameters of y; one list of blocks, or `type: dual`. Recoverable: block
    by block."""
    z: OnlyBottleneck
    """How z is coded. Recoverable: yes, by its keys."""
    y: YSpec
    """How y is coded. Recoverable: yes, by its keys."""


class FactorizedSpec(SpecModel):
    """y coded by itself, every channel under a density of its own (Balle, Laparra, Simoncelli, ICLR 2017)."""

    type: Literal["factorized"]
    y: OnlyBottleneck
    """How y is coded. Recoverable: yes, by its keys."""


LatentCodecSpec = Annotated[HyperpriorSpec | FactorizedSpec, Field(discriminator="type")]
"""Any latent codec."""
