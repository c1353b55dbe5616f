"""The small net of the entropy models: what its node in a plan says. A spec writes only the `widths` of its owner."""

from __future__ import annotations

from typing import Literal

from codecspec.schema.fields import Channels, Kernel, SpecModel, Widths


class EntropyTransformSpec(SpecModel):
    """Convolutions with an activation between them, none at the end (heads and LRPs of Minnen & Singh, ICIP 2020)."""

    type: Literal["entropy_transform"]
    widths: Widths
    """Hidden widths."""
    out: Channels
    """Output channels."""
    kernel: Kernel = 3
    """Kernel of every convolution."""
    activation: Literal["gelu", "relu", "leaky_relu"] = "gelu"
    """What stands between them."""
