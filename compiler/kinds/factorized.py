"""`factorized`: y coded by itself, without a hyperprior."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codecspec.compiler.kind import Lowering, NodeKind, Place, build_children
from codecspec.compiler.plan import Node
from codecspec.schema.latents import FactorizedSpec

if TYPE_CHECKING:
    from torch import nn


class Factorized(NodeKind[FactorizedSpec]):
    """`y` alone."""

    spec_type = FactorizedSpec

    def lower(self, spec: FactorizedSpec, place: Place, lowering: Lowering) -> Node:
        return self.node(spec, place, children=(lowering.lower(spec.y, place.at("y", "y")),))

    def build(self, node: Node) -> nn.Module:
        from codecspec.runtime.latent_codecs.factorized import FactorizedLatentCodec

        return FactorizedLatentCodec(**build_children(node.children))
