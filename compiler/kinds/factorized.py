"""`factorized`: y coded by itself, without a hyperprior."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codecspec.compiler.kind import LatentKind, Lowering, Place, build_children
from codecspec.compiler.plan import Node
from codecspec.compiler.reading import Reading, View
from codecspec.schema.latents import FactorizedSpec

if TYPE_CHECKING:
    from torch import nn


class Factorized(LatentKind[FactorizedSpec]):
    """`y` alone."""

    spec_type = FactorizedSpec

    def lower(self, spec: FactorizedSpec, place: Place, lowering: Lowering) -> Node:
        return self.node(spec, place, children=(lowering.lower(spec.y, place.at("y", "y")),))

    def read_latent(self, view: View, channels: int | None) -> Reading | None:
        from codecspec.compiler.kinds.entropy_bottleneck import EntropyBottleneck

        y = EntropyBottleneck().read_latent(view.below("y"), channels)
        return Reading(view.path, self.tag(), y.c_in, y.c_out, parts={"y": y}, first=view.first) if y else None

    def build(self, node: Node) -> nn.Module:
        from codecspec.runtime.latent_codecs.factorized import FactorizedLatentCodec

        return FactorizedLatentCodec(**build_children(node.children))
