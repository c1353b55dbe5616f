"""`gelu`: x * Phi(x)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codecspec.compiler.kind import Activation
from codecspec.schema.blocks import GELUSpec

if TYPE_CHECKING:
    from torch import nn


class GELU(Activation[GELUSpec]):
    """Owns nothing."""

    spec_type = GELUSpec

    def module(self, spec: GELUSpec, c_in: int) -> nn.Module:
        from torch import nn

        return nn.GELU()
