"""`dual`: two parallel hyper-syntheses over z_hat, means first, then scales."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codecspec.compiler.kind import Lowering, NodeKind, Place, build_children
from codecspec.compiler.kinds.sequence import lower_blocks
from codecspec.compiler.plan import Node
from codecspec.compiler.read_rows import row_or_unread
from codecspec.compiler.reading import Reading, Row, View
from codecspec.schema.latents import DualHyperSynthesisSpec

if TYPE_CHECKING:
    from torch import nn


class Dual(NodeKind[DualHyperSynthesisSpec]):
    """`h_mean_s` and `h_scale_s`."""

    spec_type = DualHyperSynthesisSpec

    def lower(self, spec: DualHyperSynthesisSpec, place: Place, lowering: Lowering) -> Node:
        mean = lower_blocks(spec.mean, place.at("h_mean_s", "mean"), lowering)
        scale = lower_blocks(spec.scale, place.at("h_scale_s", "scale"), lowering)
        if mean.c_out != scale.c_out:
            message = f"`mean` gives {mean.c_out} channels and `scale` {scale.c_out}; they must be equal"
            lowering.problem("E-channels", place.spec_path, message)
        if mean.scale_out != scale.scale_out:
            message = f"`mean` gives {mean.scale_out} of the image's side and `scale` {scale.scale_out}"
            lowering.problem("E-stride", place.spec_path, message)
        return Node(
            path=place.path,
            kind=self.tag(),
            spec=spec,
            c_in=place.channels,
            c_out=mean.c_out + scale.c_out,
            scale_in=place.scale,
            scale_out=mean.scale_out,
            children=(mean, scale),
        )

    def read_synthesis(self, view: View, c_in: int | None, c_out: int | None) -> Reading:
        """What `view` says, of two nets from `c_in` channels to half of `c_out` each, as far as these are known."""
        half = None if c_out is None else c_out // 2
        parts = {
            "mean": row_or_unread(view.below("h_mean_s"), c_in, half),
            "scale": row_or_unread(view.below("h_scale_s"), c_in, half),
        }
        given = [row.c_out for row in parts.values() if isinstance(row, Row) and row.c_out is not None]
        return Reading(
            view.path, self.tag(), c_in, sum(given) if len(given) == len(parts) else None, parts=parts, first=view.first
        )

    def build(self, node: Node) -> nn.Module:
        from codecspec.runtime.latent_codecs.dual_hyper_synthesis import DualHyperSynthesis

        return DualHyperSynthesis(**build_children(node.children))
