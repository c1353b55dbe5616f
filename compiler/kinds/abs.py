"""`abs`: |x|."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codecspec.compiler.kind import Activation
from codecspec.schema.blocks import AbsSpec

if TYPE_CHECKING:
    from torch import nn


class Abs(Activation[AbsSpec]):
    """Owns nothing."""

    spec_type = AbsSpec

    def module(self, spec: AbsSpec, c_in: int) -> nn.Module:
        from codecspec.runtime.layers.absolute import Abs as AbsModule

        return AbsModule()
