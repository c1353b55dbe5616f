"""The residual blocks are CompressAI's: planned as built, with work counted, on the meta device too, and the same
numbers."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest
import torch
from compressai.layers import AttentionBlock, ResidualBlock, ResidualBlockUpsample, ResidualBlockWithStride
from compressai.models.sensetime import ResidualBottleneckBlock
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from codecspec.compiler.kind import Lowering, Place, build_node
from codecspec.compiler.plan import Node
from codecspec.schema.blocks import SequenceSpec
from codecspec.schema.source import SpecSource

CASES = [
    ({"type": "residual", "out": 6}, 6, lambda: ResidualBlock(6, 6)),
    ({"type": "residual", "out": 4}, 6, lambda: ResidualBlock(6, 4)),
    ({"type": "residual_stride", "out": 6}, 6, lambda: ResidualBlockWithStride(6, 6)),
    ({"type": "residual_stride", "out": 4, "stride": 4}, 6, lambda: ResidualBlockWithStride(6, 4, 4)),
    ({"type": "residual_stride", "out": 6, "stride": 1}, 6, lambda: ResidualBlockWithStride(6, 6, 1)),
    ({"type": "residual_stride", "out": 4, "stride": 1}, 6, lambda: ResidualBlockWithStride(6, 4, 1)),
    ({"type": "residual_upsample", "out": 4}, 6, lambda: ResidualBlockUpsample(6, 4)),
    ({"type": "residual_upsample", "out": 6, "factor": 3}, 6, lambda: ResidualBlockUpsample(6, 6, 3)),
    ({"type": "residual_bottleneck"}, 7, lambda: ResidualBottleneckBlock(7, 7)),
    ({"type": "attention"}, 7, lambda: AttentionBlock(7)),
]
"""What a spec says, channels that come in, and CompressAI's module."""


def lowered(said: dict[str, object], channels: int) -> tuple[Node, Lowering]:
    spec = SequenceSpec.model_validate({"type": "sequence", "blocks": [said]})
    lowering = Lowering(SpecSource())
    return lowering.lower(spec.blocks[0], Place("", ("g_a", 0), channels, Fraction(1))), lowering


@pytest.mark.parametrize(("said", "channels", "theirs"), CASES, ids=[str(said) for said, _, _ in CASES])
def test_a_block_is_planned_as_it_is_built(
    said: dict[str, object], channels: int, theirs: Callable[[], nn.Module]
) -> None:
    node, lowering = lowered(said, channels)
    assert lowering.problems == []
    reference = theirs().eval()
    planned = {key: tensor.shape for key, tensor in node.tensors.items()}
    assert planned == {key: tuple(tensor.shape) for key, tensor in reference.state_dict().items()}
    parameters = {key for key, tensor in node.tensors.items() if tensor.role == "parameter"}
    assert parameters == {key for key, _ in reference.named_parameters()}

    with torch.device("meta"):
        block = build_node(node).eval()
    block.load_state_dict(reference.state_dict(), strict=True, assign=True)
    x = torch.rand(1, channels, 12, 12)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        out = block(x)
    assert torch.equal(out, reference(x))
    assert out.shape[1] == node.c_out
    assert out.shape[-1] == 12 * node.scale_out
    assert counter.get_total_flops() == 2 * node.macs * 12 * 12


@pytest.mark.parametrize("tag", ["residual_bottleneck", "attention"])
def test_one_channel_is_too_few(tag: str) -> None:
    _, lowering = lowered({"type": tag}, 1)
    assert [(problem.code, problem.message) for problem in lowering.problems] == [
        ("E-channels", f"a{'n' * (tag == 'attention')} {tag} needs at least 2 channels, and 1 comes in")
    ]
