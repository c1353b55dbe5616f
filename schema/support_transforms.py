"""What a support goes through before its head: a net of its own for the means and one for the scales of each slice."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from codecspec.schema.fields import Channels, Size, SpecModel


class SWAttenSpec(SpecModel):
    """Swin-transformer attention over the support (Liu, Sun, Katto, TCM, CVPR 2023, section 3.3)."""

    type: Literal["sw_atten"]
    width: Channels = 128
    """Channels that the support is projected to. Recoverable: yes, from the projections' shapes."""
    head_dim: Channels = 16
    """Channels of an attention head. Recoverable: yes, from the bias table's shape."""
    window: Size = 8
    """Side of the attention window in positions. Recoverable: yes, from the bias table's shape."""


class NAFTransformSpec(SpecModel):
    """NAF blocks over the support, with a skip connection (Han et al., CCA, NeurIPS 2024)."""

    type: Literal["naf_transform"]
    width: Channels = 224
    """Channels that the support is projected to. Recoverable: yes, from the projections' shapes."""
    depth: Size = 4
    """NAF blocks. Recoverable: yes, by their keys."""


SupportTransformSpec = Annotated[SWAttenSpec | NAFTransformSpec, Field(discriminator="type")]
"""Any support transform."""
