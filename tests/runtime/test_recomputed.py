"""Outputs without a graph, whose gradients come from computing them again."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from codecspec.runtime.recomputed import Outputs, recomputed


class Counted(nn.Module):
    """Two outputs of one input, one of them nested; counts how often it runs with a graph and without."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Parameter(torch.tensor(2.0)), nn.Parameter(torch.tensor(3.0))
        self.ran = {True: 0, False: 0}

    def forward(self, x: Tensor) -> Outputs:
        self.ran[torch.is_grad_enabled()] += 1
        return {"x_hat": self.first * x, "likelihoods": {"y": self.second * x**2}}


def test_it_runs_once_without_a_graph_and_again_for_gradients() -> None:
    module, x = Counted(), torch.tensor([1.0, 4.0], requires_grad=True)
    out = recomputed(module, x, module)
    assert module.ran == {True: 0, False: 1}
    assert out["x_hat"].tolist() == [2, 8]
    assert out["likelihoods"]["y"].tolist() == [3, 48]
    (out["x_hat"].sum() + out["likelihoods"]["y"].sum()).backward()
    assert module.ran == {True: 1, False: 1}
    assert (module.first.grad, module.second.grad) == (5, 17)
    assert x.grad is not None
    assert x.grad.tolist() == [2 + 6, 2 + 24]


def test_what_a_loss_does_not_reach_has_no_gradient() -> None:
    module, x = Counted(), torch.tensor([1.0, 4.0])
    recomputed(module, x, module)["likelihoods"]["y"].sum().backward()
    assert module.first.grad is None
    assert module.second.grad == 17


def test_weights_changed_in_between_are_an_error() -> None:
    module, x = Counted(), torch.tensor([1.0, 4.0])
    out = recomputed(module, x, module)
    with torch.no_grad():
        module.first.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out["x_hat"].sum().backward()
