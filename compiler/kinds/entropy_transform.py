"""`entropy_transform`: convolutions, activations between; inside context heads and leaves, never written by a user."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from codecspec.compiler.kind import BlockKind, Flow, Proposal, conv_tensors
from codecspec.compiler.plan import TensorPlan
from codecspec.compiler.reading import Told, View
from codecspec.schema.entropy_transform import EntropyTransformSpec

if TYPE_CHECKING:
    from torch import nn


class EntropyTransform(BlockKind[EntropyTransformSpec]):
    """Convolutions at 0, 2, 4, ..; activations between."""

    spec_type = EntropyTransformSpec

    def tensors(self, spec: EntropyTransformSpec, c_in: int) -> dict[str, TensorPlan]:
        tensors: dict[str, TensorPlan] = {}
        for i, (before, after) in enumerate(pairwise((c_in, *spec.widths, spec.out))):
            tensors |= conv_tensors(before, after, spec.kernel, str(2 * i))
        return tensors

    def flow(self, spec: EntropyTransformSpec, c_in: int) -> Flow:
        macs = sum(before * after * spec.kernel**2 for before, after in pairwise((c_in, *spec.widths, spec.out)))
        inside = [2 * width for width in spec.widths]  # an activation's input and output
        inside += [before + after for before, after in pairwise((*spec.widths, spec.out))]
        return Flow(spec.out, macs=macs, held=c_in + max([*inside, spec.out]))

    def read(self, view: View) -> Iterator[Proposal]:
        layers = view.indexes() or []
        shapes = [view.dims(f"{i}.weight", 4) for i in layers]
        if not shapes or layers != list(range(0, 2 * len(layers), 2)):
            return
        outs = [shape[0] for shape in shapes if shape]
        first, last = shapes[0], f"{layers[-1]}.weight"
        if first and len(outs) == len(shapes):
            told = {"widths": Told(tuple(outs[:-1]), view.seen("0.weight")), "out": view.told(outs[-1], last)}
            yield first[1], {**told, "kernel": view.told(first[2], "0.weight")}

    def module(self, spec: EntropyTransformSpec, c_in: int) -> nn.Module:
        from torch import nn

        from codecspec.runtime.layers.entropy_transform import make_entropy_transform

        activation = {"gelu": nn.GELU, "relu": nn.ReLU, "leaky_relu": nn.LeakyReLU}[spec.activation]
        return make_entropy_transform(c_in, spec.out, widths=spec.widths, kernel=spec.kernel, activation=activation)


@dataclass(frozen=True, slots=True)
class TransformRead:
    """What the tensors of a small net tell of it."""

    c_in: int
    c_out: int
    widths: Told
    kernel: Told


def read_transform(view: View) -> TransformRead | None:
    """The small net that owns the tensors of `view`."""
    kind = EntropyTransform()
    for c_in, told in kind.read(view):
        if kind.readings(view):
            return TransformRead(c_in, told["out"].value, told["widths"], told["kernel"])
    return None
