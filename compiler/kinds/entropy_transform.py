"""`entropy_transform`: convolutions, activations between; inside context heads and leaves, never written by a user."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from codecspec.compiler.kind import BlockKind, Flow, conv_tensors
from codecspec.compiler.plan import TensorPlan
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
        return Flow(spec.out, macs=macs)

    def module(self, spec: EntropyTransformSpec, c_in: int) -> nn.Module:
        from torch import nn

        from codecspec.runtime.layers.entropy_transform import make_entropy_transform

        activation = {"gelu": nn.GELU, "relu": nn.ReLU, "leaky_relu": nn.LeakyReLU}[spec.activation]
        return make_entropy_transform(c_in, spec.out, widths=spec.widths, kernel=spec.kernel, activation=activation)
