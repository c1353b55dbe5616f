"""`relu`: max(x, 0)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codecspec.compiler.kind import Activation
from codecspec.schema.blocks import ReLUSpec

if TYPE_CHECKING:
    from torch import nn


class ReLU(Activation[ReLUSpec]):
    """Owns nothing."""

    spec_type = ReLUSpec

    def module(self, spec: ReLUSpec, c_in: int) -> nn.Module:
        from torch import nn

        return nn.ReLU()
