"""Blocks with window attention inside."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from codecspec.schema.fields import Channels, Integer, Real, Size, SpecModel


class ConvTransSpec(SpecModel):
    """Half of the channels through a convolution block, half through a transformer block (Liu, Sun, Katto, TCM, CVPR
    2023, section 3.2)."""

    type: Literal["conv_trans"]
    head_dim: Channels
    """Channels of an attention head; divides half of the block's channels. Recoverable: yes, from the bias table."""
    window: Size = 8
    """Side of the attention window in positions. Recoverable: yes, from the bias table's shape."""
    shift: Annotated[Integer, Field(ge=0, le=254)] = 0
    """Cyclic shift of the windows in positions; less than `window`. Recoverable: no."""


class DropPath(SpecModel):
    """Stochastic depth (Huang et al., ECCV 2016): a block's branches are skipped in training, later blocks more often.

    The rate of block `block` of `of` is `last * block / (of - 1)`.
    """

    last: Annotated[Real, Field(ge=0, lt=1)]
    """The rate of the last block."""
    block: Annotated[Integer, Field(ge=0, le=4096)]
    """Which block this is, counted from 0."""
    of: Annotated[Integer, Field(ge=1, le=4096)]
    """How many blocks there are."""

    @property
    def rate(self) -> float:
        """The probability that this block's branches are skipped."""
        return self.last * self.block / max(self.of - 1, 1)


class SwinSpec(SpecModel):
    """Swin's transformer block (Liu et al., ICCV 2021), the block of STF (Zou, Song, Zhang, CVPR 2022)."""

    training_only: ClassVar[frozenset[str]] = frozenset({"drop_path"})

    type: Literal["swin"]
    heads: Size
    """Attention heads. Recoverable: yes, from the bias table's shape."""
    window: Size = 4
    """Side of the attention window in positions. Recoverable: yes, from the bias table's shape."""
    shift: Annotated[Integer, Field(ge=0, le=254)] = 0
    """Cyclic shift of the windows in positions; less than `window`. Recoverable: no."""
    mlp_ratio: Size = 4
    """Hidden channels of the MLP per channel. Recoverable: yes, from the weights' shapes."""
    drop_path: DropPath | None = None
    """Stochastic depth in training. Recoverable: no."""


class PatchEmbedSpec(SpecModel):
    """Patches of the image to vectors: a convolution of its own stride without padding, then a layer norm."""

    type: Literal["patch_embed"]
    out: Channels
    """Output channels. Recoverable: yes, from the weight's shape."""
    patch: Size = 2
    """Side of a patch in positions. Recoverable: yes, from the weight's shape."""


class PatchMergeSpec(SpecModel):
    """2x2 positions to one of twice the channels: layer norm, then a linear layer without bias (Swin)."""

    type: Literal["patch_merge"]


class PatchSplitSpec(SpecModel):
    """One position to 2x2 of half the channels: layer norm, a linear layer without bias, then a pixel shuffle (STF)."""

    type: Literal["patch_split"]
