"""Blocks with window attention inside."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from codecspec.schema.fields import Channels, Integer, Size, SpecModel


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
