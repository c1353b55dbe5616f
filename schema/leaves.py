"""The leaves: what codes the samples of one slice (or of all of y), given its parameters."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, JsonValue, Tag
from pydantic_core import PydanticCustomError

from codecspec.schema.fields import (
    AS_LIST,
    MAX_CHANNELS,
    MAX_SLICES,
    WRONG_FORM,
    Channels,
    Integer,
    Kernel,
    Real,
    SpecModel,
    Widths,
)
from codecspec.schema.ramps import ramp_widths

Quantizer = Literal["noise", "ste"]
Chunk = Literal["scales", "means"]
MAX_LAYERS = 64
Count = Annotated[Integer, Field(ge=0, le=MAX_SLICES)]


_WITH_SCALES: dict[str, JsonValue] = {"uniqueItems": True, "contains": {"const": "scales"}}
_BOTH: dict[str, JsonValue] = {**_WITH_SCALES, "minItems": 2}
"""What the two validators below ask for, in the words of JSON Schema."""


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
    """Quantization in training: additive noise, or straight-through rounding. Recoverable: no."""
    chunks: Annotated[tuple[Chunk, ...], AfterValidator(_known_order), Field(json_schema_extra=_WITH_SCALES)] = (
        "scales",
        "means",
    )
    """What the parameters are, in order; `[scales]` is a zero-mean Gaussian. Recoverable: no."""


class LRPGaussianSpec(SpecModel):
    """A Gaussian leaf with latent residual prediction: y_hat += lrp_scale * tanh(lrp(mean_support, y_hat))
    (Minnen & Singh, ICIP 2020)."""

    training_only: ClassVar[frozenset[str]] = frozenset({"quantizer"})

    type: Literal["lrp_gaussian"]
    widths: Widths
    """Hidden widths of the LRP's 3x3 convolutions; GELU between. Recoverable: yes, from the weights' shapes."""
    lrp_scale: Real = 0.5
    """The largest correction. Recoverable: no."""
    quantizer: Quantizer = "ste"
    """Quantization in training: additive noise, or straight-through rounding. Recoverable: no."""


class RampSpec(SpecModel):
    """Hidden widths on a line from the input's channels to the output's, rounded down, none below `min`."""

    ramp: Annotated[Integer, Field(ge=1, le=MAX_LAYERS)]
    """Layers, the last one included."""
    min: Annotated[Integer, Field(ge=0, le=MAX_CHANNELS)] = 0
    """The least width of a hidden layer."""

    def widths(self, c_in: int, c_out: int) -> tuple[int, ...]:
        """The hidden widths of a net from `c_in` to `c_out` channels."""
        return tuple(max(self.min, width) for width in ramp_widths(c_in, c_out, self.ramp))


def _parameters_form(value: object) -> str | None:
    if isinstance(value, RampSpec) or (isinstance(value, dict) and "ramp" in value):
        return "{ramp: L, min: C}"
    return "[widths]" if isinstance(value, (list, tuple, str)) else None


ParametersSpec = Annotated[
    Annotated[RampSpec, Tag("{ramp: L, min: C}")]
    | Annotated[tuple[Channels, ...], AS_LIST, Field(max_length=MAX_LAYERS), Tag("[widths]")],
    Discriminator(
        _parameters_form,
        custom_error_type=WRONG_FORM,
        custom_error_message="{allowed}",
        custom_error_context={"allowed": "{ramp: L, min: C} or a list of hidden widths"},
    ),
]
"""Hidden widths of the 1x1 convolutions that give a leaf's parameters: a list, or `{ramp: L, min: C}`."""


def _both(chunks: tuple[str, ...]) -> tuple[str, ...]:
    if set(chunks) != {"scales", "means"} or len(chunks) != 2:
        message = f"allowed: [scales, means], [means, scales]; found [{', '.join(chunks)}]"
        raise PydanticCustomError("E-value", "{message}", {"message": message, "hint": ""})
    return chunks


class CheckerboardSpec(SpecModel):
    """A Gaussian leaf in two passes: the anchors of a checkerboard, then the rest, which sees them (He, Zheng, Sun,
    Wang, Qin, CVPR 2021)."""

    training_only: ClassVar[frozenset[str]] = frozenset({"quantizer"})

    type: Literal["checkerboard"]
    kernel: Kernel = 5
    """Kernel of the masked convolution over the anchors. Recoverable: yes, from the weight's shape."""
    parity: Literal["even", "odd"] = "even"
    """Which positions are anchors: those whose row + column is even, or odd. Recoverable: no."""
    parameters: ParametersSpec
    """Hidden widths of the net over (masked convolution, input); 1x1, ReLU between. Recoverable: yes, from the
    weights' shapes."""
    chunks: Annotated[tuple[Chunk, ...], AfterValidator(_both), Field(json_schema_extra=_BOTH)] = ("scales", "means")
    """Order of the net's outputs. Recoverable: no."""
    quantizer: Quantizer = "ste"
    """Quantization in training: additive noise, or straight-through rounding. Recoverable: no."""


class RasterScanSpec(SpecModel):
    """A Gaussian leaf position by position, row by row, each seeing those before it (Minnen, Balle, Toderici, NeurIPS
    2018)."""

    type: Literal["raster_scan"]
    kernel: Kernel = 5
    """Kernel of the masked convolution over what came before. Recoverable: yes, from the weight's shape."""
    parameters: ParametersSpec
    """Hidden widths of the net over (input, masked convolution); 1x1, leaky ReLU between. Recoverable: yes,
    from the weights' shapes."""
    chunks: Annotated[tuple[Chunk, ...], AfterValidator(_both), Field(json_schema_extra=_BOTH)] = ("scales", "means")
    """Order of the net's outputs. Recoverable: no."""


class GaussianSliceSpec(GaussianSpec):
    """A Gaussian leaf for some of the slices."""

    count: Count | None = None
    """Number of slices; without it, all remaining ones. Recoverable: yes, by the leaves' keys."""


class LRPGaussianSliceSpec(LRPGaussianSpec):
    """An LRP leaf for some of the slices."""

    count: Count | None = None
    """Number of slices; without it, all remaining ones. Recoverable: yes, by the leaves' keys."""


class CheckerboardSliceSpec(CheckerboardSpec):
    """A checkerboard leaf for some of the slices."""

    count: Count | None = None
    """Number of slices; without it, all remaining ones. Recoverable: yes, by the leaves' keys."""


class RasterScanSliceSpec(RasterScanSpec):
    """A raster-scan leaf for some of the slices."""

    count: Count | None = None
    """Number of slices; without it, all remaining ones. Recoverable: yes, by the leaves' keys."""


SliceLeafSpec = Annotated[
    GaussianSliceSpec | LRPGaussianSliceSpec | CheckerboardSliceSpec | RasterScanSliceSpec,
    Field(discriminator="type"),
]
"""A leaf, and how many slices it takes."""

Leaves = tuple[SliceLeafSpec, ...]


def _as_tuple(value: object) -> object:
    """One leaf for all slices is a list of one."""
    return value if isinstance(value, (list, tuple)) else [value]


LeafOrLeaves = Annotated[
    Annotated[Leaves, Field(min_length=1)],
    BeforeValidator(_as_tuple, json_schema_input_type=SliceLeafSpec | Annotated[Leaves, Field(min_length=1)]),
]
"""One leaf for all slices, or a list of leaves."""


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
