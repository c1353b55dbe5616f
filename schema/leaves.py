"""The leaves: what codes the samples of one slice (or of all of y), given its parameters."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from codecspec.schema.fields import MAX_SLICES, Integer, Real, SpecModel, Widths

Quantizer = Literal["noise", "ste"]
Count = Annotated[Integer, Field(ge=0, le=MAX_SLICES)]


def _known_order(chunks: tuple[str, ...]) -> tuple[str, ...]:
    if "scales" not in chunks or len(set(chunks)) < len(chunks):
        message = f"allowed: [scales], [scales, means], [means, scales]; found [{', '.join(chunks)}]"
        raise PydanticCustomError("E-value", "{message}", {"message": message, "hint": ""})
    return chunks


class GaussianSpec(SpecModel):
    """y_hat = round(y - mu) + mu, coded under a Gaussian convolved with a unit box."""

    training_only: ClassVar[frozenset[str]] = frozenset({"quantizer"})

    type: Literal["gaussian"]
    quantizer: Quantizer = "noise"
    """What the decoder's nets see of y in training: noise, or rounded straight-through. Recoverable: no."""
    chunks: Annotated[tuple[Literal["scales", "means"], ...], AfterValidator(_known_order)] = ("scales", "means")
    """What the parameters are, in order; `[scales]` is a zero-mean Gaussian. Recoverable: no."""


class LRPGaussianSpec(SpecModel):
    """A Gaussian leaf with latent residual prediction: y_hat += lrp_scale * tanh(lrp(mean_support, y_hat))
    (Minnen & Singh, ICIP 2020)."""

    training_only: ClassVar[frozenset[str]] = frozenset({"quantizer"})

    type: Literal["lrp_gaussian"]
    widths: Widths
    """Hidden widths of the LRP's 3x3 convolutions. Recoverable: yes, from the weights' shapes."""
    lrp_scale: Real = 0.5
    """The largest correction. Recoverable: no."""
    quantizer: Quantizer = "ste"
    """What the decoder's nets see of y in training: noise, or rounded straight-through. Recoverable: no."""


class GaussianSliceSpec(GaussianSpec):
    """A Gaussian leaf for some of the slices."""

    count: Count | None = None
    """How many slices it takes; the rest without one."""


class LRPGaussianSliceSpec(LRPGaussianSpec):
    """An LRP leaf for some of the slices."""

    count: Count | None = None
    """How many slices it takes; the rest without one."""


SliceLeafSpec = Annotated[GaussianSliceSpec | LRPGaussianSliceSpec, Field(discriminator="type")]
"""A leaf, and how many slices it takes."""

Leaves = tuple[SliceLeafSpec, ...]


def leaf_indexes(leaves: Leaves, num_slices: int) -> list[int]:
    """Which of the leaves each slice has.

    Raises:
        ValueError: the counts do not come out at `num_slices`; says how.
    """
    open_ended = [leaf for leaf in leaves if leaf.count is None]
    if len(open_ended) > 1:
        raise ValueError("more than one leaf has no `count`; only one can take the rest")
    counted = sum(leaf.count for leaf in leaves if leaf.count is not None)
    rest = num_slices - counted
    if rest < 0 or (rest > 0 and not open_ended):
        raise ValueError(f"the leaves take {counted} slices, and there are {num_slices}")
    indexes: list[int] = []
    for i, leaf in enumerate(leaves):
        indexes += [i] * (rest if leaf.count is None else leaf.count)
    return indexes


def leaf_per_slice(leaves: Leaves, num_slices: int) -> list[SliceLeafSpec]:
    """The leaf of each slice, without its count; see `leaf_indexes`."""
    bare = [leaf.model_copy(update={"count": None}) for leaf in leaves]
    return [bare[i] for i in leaf_indexes(leaves, num_slices)]
