"""Stochastic depth."""

from __future__ import annotations

import torch

from codecspec.runtime.layers.drop_path import DropPath


def test_images_are_skipped_whole_and_the_mean_is_kept() -> None:
    torch.manual_seed(0)
    out = DropPath(0.25).train()(torch.ones(4000, 2, 3))
    kept = out.flatten(1)
    assert ((kept == 0).all(1) | torch.isclose(kept, torch.tensor(1 / 0.75)).all(1)).all()
    assert abs(float(out.mean()) - 1) < 0.03


def test_nothing_is_skipped_in_evaluation_or_at_rate_0() -> None:
    x = torch.rand(3, 2)
    assert DropPath(0.9).eval()(x) is x
    assert DropPath(0.0).train()(x) is x
