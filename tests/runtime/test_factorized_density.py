"""The density that torch.compile can trace is CompressAI's, bit for bit."""

from __future__ import annotations

import pytest
import torch

from codecspec.runtime.compressai_classes import EntropyBottleneck
from codecspec.runtime.factorized_density import TraceableEntropyBottleneck


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("batch", [1, 3])
def test_it_gives_what_compressai_gives(training: bool, batch: int) -> None:
    torch.manual_seed(0)
    theirs = EntropyBottleneck(5).train(training)
    theirs.quantiles.data += torch.rand(5, 1, 3)
    ours = TraceableEntropyBottleneck(5).train(training)
    ours.load_state_dict(theirs.state_dict())
    z = 4 * torch.randn(batch, 5, 6, 7)
    results = []
    for model in (theirs, ours):
        torch.manual_seed(1)
        x = z.clone().requires_grad_()
        z_hat, likelihoods = model(x)
        likelihoods.log().sum().backward()
        results.append((z_hat, likelihoods, x.grad, *(p.grad for p in model.parameters() if p.grad is not None)))
    assert len(results[0]) == len(results[1])
    for found, expected in zip(*results, strict=True):
        assert torch.equal(found, expected)
        assert found.is_contiguous()
    forced = [model(z, training=not training)[0] for model in (theirs, ours)]
    assert torch.equal(forced[0], forced[1]) is training  # in training both draw noise, and not the same


def test_likelihoods_may_be_unbounded() -> None:
    z = 100 * torch.randn(1, 2, 4, 4)
    models = [cls(2, likelihood_bound=0.0).eval() for cls in (EntropyBottleneck, TraceableEntropyBottleneck)]
    models[1].load_state_dict(models[0].state_dict())
    assert torch.equal(models[0](z)[1], models[1](z)[1])
