"""`leaky_relu`: x where positive, slope * x elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codecspec.compiler.kind import Activation
from codecspec.schema.blocks import LeakyReLUSpec

if TYPE_CHECKING:
    from torch import nn


class LeakyReLU(Activation[LeakyReLUSpec]):
    """Owns nothing."""

    spec_type = LeakyReLUSpec

    def module(self, spec: LeakyReLUSpec, c_in: int) -> nn.Module:
        from torch import nn

        return nn.LeakyReLU(spec.slope)
