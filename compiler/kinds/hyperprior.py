"""`hyperprior`: y coded with parameters computed from z, which is coded first."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from codecspec.compiler.kind import LatentKind, Lowering, Place, build_children
from codecspec.compiler.kinds.dual import Dual
from codecspec.compiler.kinds.entropy_bottleneck import EntropyBottleneck
from codecspec.compiler.kinds.gaussian import Gaussian
from codecspec.compiler.kinds.sequence import lower_blocks
from codecspec.compiler.plan import Node
from codecspec.compiler.read_rows import row_or_unread
from codecspec.compiler.reading import Reading, Told, Unread, View
from codecspec.schema.latents import DualHyperSynthesisSpec, HyperpriorSpec
from codecspec.schema.leaves import GaussianSpec

if TYPE_CHECKING:
    from torch import nn


class Hyperprior(LatentKind[HyperpriorSpec]):
    """`h_a`, `h_s`, `z` and `y`."""

    spec_type = HyperpriorSpec

    def lower(self, spec: HyperpriorSpec, place: Place, lowering: Lowering) -> Node:
        h_a = lower_blocks(spec.h_a, place.at("h_a", "h_a"), lowering)
        if (place.scale / h_a.scale_out).denominator != 1:
            sides = f"z stands at {h_a.scale_out} of the image's side, and y at {place.scale}"
            message = f"{sides}: no whole stride between"
            lowering.problem("E-stride", (*place.spec_path, "h_a"), message)
        z = lowering.lower(spec.z, place.at("z", "z").after(h_a))
        h_s = _lower_synthesis(spec, place.after(h_a), lowering)
        if h_s.scale_out != place.scale:
            message = (
                f"h_s gives its parameters at {h_s.scale_out} of the image's side, and y stands at {place.scale}: "
                "the strides of h_a and the factors of h_s must cancel"
            )
            lowering.problem("E-stride", (*place.spec_path, "h_s"), message)
        if isinstance(spec.h_s, DualHyperSynthesisSpec) and isinstance(spec.y, GaussianSpec):
            _check_order(spec.y, place, lowering)
        y = lowering.lower_conditional(spec.y, place.at("y", "y"), h_s.c_out)
        return self.node(
            spec,
            place,
            children=(h_a, z, h_s, y),
        )

    def read_latent(self, view: View, channels: int | None) -> Reading | None:
        from codecspec.compiler.kinds import read_y

        if not view.below("y") or not view.below("z"):
            return None
        at_y, at_h_s = view.below("y"), view.below("h_s")
        z = EntropyBottleneck().read_latent(view.below("z"), None)
        z_channels = z.c_in if z else None
        y = read_y(at_y, channels, None)
        needed = (y.params if y else None,) if channels is None else (y.params if y else None, channels, 2 * channels)
        dual = "h_mean_s" in at_h_s.children
        h_s = (
            Dual().read_synthesis(at_h_s, z_channels, needed[0]) if dual else row_or_unread(at_h_s, z_channels, *needed)
        )
        if y and y.params is None and not isinstance(h_s, Unread):
            y = read_y(at_y, channels, h_s.c_out)
        parts = {
            "h_a": row_or_unread(view.below("h_a"), channels, z_channels),
            "h_s": h_s,
            "z": z or Unread.of(view.below("z")),
            "y": _ordered(y, dual) if y else Unread.of(at_y),
        }
        return Reading(view.path, self.tag(), channels, channels, parts=parts, first=view.first)

    def build(self, node: Node) -> nn.Module:
        from codecspec.runtime.latent_codecs.hyperprior import HyperpriorLatentCodec

        z_stride = node.scale_in / node.child("z").scale_in
        return HyperpriorLatentCodec(**build_children(node.children), z_stride=int(z_stride))


def _lower_synthesis(spec: HyperpriorSpec, place: Place, lowering: Lowering) -> Node:
    at = place.at("h_s", "h_s")
    if isinstance(spec.h_s, DualHyperSynthesisSpec):
        return lowering.lower(spec.h_s, at)
    return lower_blocks(spec.h_s, at, lowering)


def _check_order(y: GaussianSpec, place: Place, lowering: Lowering) -> None:
    if y.chunks != ("means", "scales"):
        message = f"a dual h_s gives means, then scales, and y reads {', then '.join(y.chunks)}"
        lowering.problem("E-context", (*place.spec_path, "y", "chunks"), message, "chunks: [means, scales]")


def _ordered(y: Reading, dual: bool) -> Reading:
    """The reading of y, with the one order of a Gaussian's parameters that a dual h_s allows."""
    if not dual or y.tag != Gaussian.tag() or "chunks" in y.told:
        return y
    return replace(y, told={**y.told, "chunks": Told(("means", "scales"), derived=True)})
