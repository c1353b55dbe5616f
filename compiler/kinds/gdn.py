"""`gdn`: generalized divisive normalization, and its inverse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from codecspec.compiler.kind import BlockKind, Flow, Proposal
from codecspec.compiler.plan import TensorPlan, join
from codecspec.compiler.reach import POINTWISE, Reach
from codecspec.compiler.reading import View
from codecspec.schema.blocks import GDNSpec

if TYPE_CHECKING:
    from torch import nn


class GDN(BlockKind[GDNSpec]):
    """beta (C), gamma (C, C) and the constants of their reparametrization; CompressAI's GDN."""

    spec_type = GDNSpec

    def tensors(self, spec: GDNSpec, c_in: int) -> dict[str, TensorPlan]:
        return gdn_tensors(c_in)

    def flow(self, spec: GDNSpec, c_in: int) -> Flow:
        return Flow(c_in, macs=c_in * c_in, held=3 * c_in)

    def reach(self, spec: GDNSpec, c_in: int) -> Reach:
        return POINTWISE

    def read(self, view: View) -> Iterator[Proposal]:
        gamma = view.dims("gamma", 2)
        if gamma:
            yield gamma[0], {}

    def module(self, spec: GDNSpec, c_in: int) -> nn.Module:
        import torch

        from codecspec.runtime.layers.gdn import GDN as GDNModule

        # Its constructor computes with tensors that land on the CPU, so it cannot run under the meta device.
        with torch.device("cpu"):
            return GDNModule(c_in, inverse=spec.inverse)


def gdn_tensors(channels: int, prefix: str = "") -> dict[str, TensorPlan]:
    """The state of a GDN, which other blocks have inside."""
    constant = TensorPlan((1,), "buffer")
    tensors = {
        "beta": TensorPlan((channels,)),
        "gamma": TensorPlan((channels, channels)),
        "beta_reparam.pedestal": constant,
        "beta_reparam.lower_bound.bound": constant,
        "gamma_reparam.pedestal": constant,
        "gamma_reparam.lower_bound.bound": constant,
    }
    return {join(prefix, name): tensor for name, tensor in tensors.items()}
