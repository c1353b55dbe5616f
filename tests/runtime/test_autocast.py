"""Inside torch.autocast the transforms take half the digits, and what feeds the coder does not."""

from __future__ import annotations

from collections import defaultdict

import pytest
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

import codecspec as cs
from codecspec.runtime.codec import Codec
from codecspec.runtime.streams.container import NUMERICS, Numerics
from tests.runtime.small_codecs import images, small

LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


def computed_in(codec: Codec, x: Tensor) -> dict[str, set[torch.dtype]]:
    """The dtypes that layers give inside of autocast, by the first step of their paths."""
    found: dict[str, set[torch.dtype]] = defaultdict(set)

    def watch(root: str, layer: nn.Module) -> RemovableHandle:
        return layer.register_forward_hook(lambda _layer, _inputs, out: found[root].add(out.dtype))

    named = [(path.partition(".")[0], layer) for path, layer in codec.named_modules() if isinstance(layer, LAYERS)]
    handles = [watch(root, layer) for root, layer in named]
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        codec(x)
        codec.decompress(**codec.compress(x))
        cs.decode(codec, cs.encode(codec, x))
    for handle in handles:
        handle.remove()
    return found


@pytest.mark.parametrize("name", ["bmshj2018-factorized", "mbt2018-mean", "cca-aux", "elic", "stf", "tcm", "wacnn"])
@pytest.mark.parametrize("numerics", NUMERICS)
def test_the_transforms_alone_are_in_half_precision(name: str, numerics: Numerics) -> None:
    codec = small(name)
    codec.numerics = numerics
    found = computed_in(codec, images(1, 64, 64))
    transforms = {root: found.pop(root) for root in ("g_a", "g_s")}
    assert all(torch.bfloat16 in dtypes for dtypes in transforms.values()), transforms
    assert all(dtypes == {torch.float32} for dtypes in found.values()), found


def test_a_stream_of_one_side_is_decoded_by_the_other() -> None:
    """Autocast is the encoder's affair, or the decoder's: the symbols are the same, and images float32."""
    codec = small("wacnn")
    x = images(1, 64, 64)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        theirs = cs.encode(codec, x)
        expected = codec(x)
        assert torch.equal(cs.decode(codec, theirs), expected["x_hat"].clamp(0, 1))
    assert {value.dtype for value in (expected["x_hat"], *expected["likelihoods"].values())} == {torch.float32}
    ours = cs.encode(codec, x)
    whole = cs.decode(codec, ours)
    with torch.autocast("cpu", torch.bfloat16):
        half = cs.decode(codec, ours)
    assert half.dtype == torch.float32
    assert not torch.equal(half, whole)
    torch.testing.assert_close(half, whole, rtol=0, atol=0.1)
    assert cs.decode(codec, theirs).shape == x.shape


def test_training_learns_through_it() -> None:
    codec = small("cca-aux").train()
    with torch.autocast("cpu", torch.bfloat16):
        out = codec(images(1, 64, 64))
        bits = sum(-values.log().sum() for values in (*out["likelihoods"].values(), *out["aux_likelihoods"].values()))
    (out["x_hat"].square().mean() + bits).backward()
    assert all(torch.isfinite(p.grad).all() for p in codec.parameters() if p.grad is not None)
    assert codec.g_a[0].weight.grad is not None
