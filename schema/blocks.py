"""The blocks that transforms are made of: what a spec may say of each.

A block's input width is the previous block's output; only what changes is written. This file is the source of every
default. What a block *does* with its fields is in the module that its kind builds.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from codecspec.schema.expressions import ExpressionError, check_name
from codecspec.schema.fields import Channels, Flag, Integer, Kernel, Real, Size, SpecModel
from codecspec.schema.naf_blocks import NAFSpec
from codecspec.schema.residual_blocks import (
    AttentionSpec,
    ResidualBottleneckSpec,
    ResidualSpec,
    ResidualStrideSpec,
    ResidualUpsampleSpec,
)
from codecspec.schema.transformer_blocks import ConvTransSpec, PatchEmbedSpec, PatchMergeSpec, PatchSplitSpec, SwinSpec


class ConvSpec(SpecModel):
    """A convolution with bias, padded by kernel // 2."""

    type: Literal["conv"]
    out: Channels
    """Output channels. Recoverable: yes, from the weight's shape."""
    kernel: Kernel = 3
    """Kernel size in positions. Recoverable: yes, from the weight's shape."""
    stride: Size = 1
    """Stride: the downsampling factor. Recoverable: no."""


class DeconvSpec(SpecModel):
    """A transposed convolution with bias, padded by kernel // 2, output padding stride - 1."""

    type: Literal["deconv"]
    out: Channels
    """Output channels. Recoverable: yes, from the weight's shape."""
    kernel: Kernel = 3
    """Kernel size in positions. Recoverable: yes, from the weight's shape."""
    stride: Size = 1
    """Upsampling factor. Recoverable: no."""


class SubpelSpec(SpecModel):
    """Sub-pixel upsampling: a convolution to factor^2 times the channels, then a pixel shuffle."""

    type: Literal["subpel"]
    out: Channels
    """Output channels, after the shuffle. Recoverable: together with `factor` only."""
    kernel: Kernel = 3
    """Kernel size in positions. Recoverable: yes, from the weight's shape."""
    factor: Size = 2
    """Upsampling factor. Recoverable: together with `out` only."""


class GDNSpec(SpecModel):
    """Generalized divisive normalization (Balle, Laparra, Simoncelli, 2016)."""

    type: Literal["gdn"]
    inverse: Flag = False
    """Multiply by the norm instead of dividing by it. Recoverable: no."""


class ReLUSpec(SpecModel):
    """max(x, 0)."""

    type: Literal["relu"]


class LeakyReLUSpec(SpecModel):
    """x where positive, slope * x elsewhere."""

    type: Literal["leaky_relu"]
    slope: Real = 0.01
    """Slope for negative inputs. Recoverable: no."""


class GELUSpec(SpecModel):
    """x * Phi(x), the exact form."""

    type: Literal["gelu"]


class AbsSpec(SpecModel):
    """|x|, for bmshj2018-hyperprior, whose h_a takes |y|."""

    type: Literal["abs"]


class WindowGateSpec(SpecModel):
    """The window-attention gate of WACNN: x + conv_a(x) * sigmoid(conv_b(x)) (Zou, Song, Zhang, CVPR 2022)."""

    type: Literal["window_gate"]
    heads: Size
    """Attention heads. Recoverable: yes, from the bias table's shape."""
    window: Size
    """Side of the attention window in positions. Recoverable: yes, from the bias table's shape."""
    shift: Annotated[Integer, Field(ge=0, le=254)] = 0
    """Cyclic shift of the windows in positions; less than `window`. Recoverable: no."""


class SequenceSpec(SpecModel):
    """A list of blocks as one block, with a path segment of its own."""

    type: Literal["sequence"]
    blocks: Blocks
    """The blocks, in order. Recoverable: block by block; layers without tensors at its end are not."""


BlockSpec = Annotated[
    ConvSpec
    | DeconvSpec
    | SubpelSpec
    | GDNSpec
    | ReLUSpec
    | LeakyReLUSpec
    | GELUSpec
    | AbsSpec
    | ResidualSpec
    | ResidualStrideSpec
    | ResidualUpsampleSpec
    | ResidualBottleneckSpec
    | AttentionSpec
    | WindowGateSpec
    | ConvTransSpec
    | SwinSpec
    | PatchEmbedSpec
    | PatchMergeSpec
    | PatchSplitSpec
    | NAFSpec
    | SequenceSpec,
    Field(discriminator="type"),
]
"""Any block."""

Blocks = Annotated[tuple[BlockSpec, ...], Field(min_length=1)]
"""Blocks in a row; a `repeat` among them is unrolled before they are validated."""

SequenceSpec.model_rebuild()


def _spellable(index: str) -> str:
    try:
        check_name(index)
    except ExpressionError as error:
        raise PydanticCustomError(error.code, "{message}", {"message": error.message, "hint": error.hint}) from None
    return index


class Repeat(SpecModel):
    """`{repeat: {count: 2, index: i, blocks: [...]}}` in a list of blocks: the blocks, count times."""

    count: Annotated[Integer, Field(ge=0, le=1024)]
    """How often."""
    index: Annotated[str, AfterValidator(_spellable), Field(max_length=32)] | None = None
    """A name for the count 0, 1, .. in expressions inside."""
    blocks: list[object]
    """What is repeated."""
