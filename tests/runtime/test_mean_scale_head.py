"""The mean-scale head: which net sees what, and the order of what it gives, shown with nets that are simple sums."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from codecspec.runtime.latent_codecs.mean_scale_head import MeanScaleContextHead

SLICE = 2
PRIOR = 3
SPLIT = 4


class Recorder(nn.Module):
    """Gives `out` channels of value `value`, and remembers what it saw."""

    def __init__(self, value: float, out: int = SLICE) -> None:
        super().__init__()
        self.value, self.out = value, out
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x)
        return torch.full((x.shape[0], self.out, *x.shape[2:]), self.value)


class Shift(nn.Module):
    """x + by: a transform whose output is told from its input."""

    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = by

    def forward(self, x: Tensor) -> Tensor:
        return x + self.by


MEAN, SCALE = 100.0, 200.0


def head(**options: Any) -> MeanScaleContextHead:
    return MeanScaleContextHead(Recorder(MEAN), Recorder(SCALE), **options)


def support(channels: int) -> Tensor:
    """(2, channels, 2, 2), each channel with numbers of its own."""
    return torch.arange(2.0 * channels * 4).view(2, channels, 2, 2)


def only(recorder: nn.Module) -> Tensor:
    assert len(recorder.seen) == 1
    return recorder.seen[0]


@pytest.mark.parametrize("prior", [PRIOR, 0])
def test_each_net_sees_its_half_of_the_side_parameters_and_the_prior(prior: int) -> None:
    module = head(side_split=SPLIT)
    x = support(2 * SPLIT + prior)
    out = module(x)
    mean_half, scale_half, slices = x[:, :SPLIT], x[:, SPLIT : 2 * SPLIT], x[:, 2 * SPLIT :]
    assert slices.shape[1] == prior
    assert torch.equal(only(module.mean_cc), torch.cat([mean_half, slices], dim=1))
    assert torch.equal(only(module.scale_cc), torch.cat([scale_half, slices], dim=1))
    assert out.shape == (2, 2 * SLICE, 2, 2)


def test_without_a_split_both_nets_see_all() -> None:
    module = head()
    x = support(7)
    module(x)
    assert torch.equal(only(module.mean_cc), x)
    assert torch.equal(only(module.scale_cc), x)


def test_scales_come_first_then_means_then_the_support() -> None:
    x = support(2 * SPLIT + PRIOR)
    scales, means, emitted = head(side_split=SPLIT, emit_mean_support=True)(x).split([SLICE, SLICE, SPLIT + PRIOR], 1)
    assert scales.unique().tolist() == [SCALE]
    assert means.unique().tolist() == [MEAN]
    assert torch.equal(emitted, torch.cat([x[:, :SPLIT], x[:, 2 * SPLIT :]], dim=1))


@pytest.mark.parametrize(
    ("mean_shift", "scale_shift"), [(None, None), (0.5, None), (None, 0.25), (0.5, 0.25)], ids=lambda shift: str(shift)
)
@pytest.mark.parametrize("emit", [False, True, "pre", "post"])
def test_transforms_stand_before_their_own_net(mean_shift: float | None, scale_shift: float | None, emit: Any) -> None:
    module = head(
        side_split=SPLIT,
        emit_mean_support=emit,
        mean_support_transform=Shift(mean_shift) if mean_shift else None,
        scale_support_transform=Shift(scale_shift) if scale_shift else None,
    )
    x = support(2 * SPLIT + PRIOR)
    out = module(x)
    mean_in = torch.cat([x[:, :SPLIT], x[:, 2 * SPLIT :]], dim=1)
    scale_in = torch.cat([x[:, SPLIT : 2 * SPLIT], x[:, 2 * SPLIT :]], dim=1)
    assert torch.equal(only(module.mean_cc), mean_in + (mean_shift or 0))
    assert torch.equal(only(module.scale_cc), scale_in + (scale_shift or 0))
    emitted = out[:, 2 * SLICE :]
    if emit is False:
        assert emitted.shape[1] == 0
    elif emit == "post":
        assert torch.equal(emitted, mean_in + (mean_shift or 0))
    else:
        assert torch.equal(emitted, mean_in)


def test_transforms_run_once() -> None:
    mean, scale = (Recorder(value, out=SPLIT + PRIOR) for value in (1.0, 2.0))
    module = head(
        side_split=SPLIT, emit_mean_support="post", mean_support_transform=mean, scale_support_transform=scale
    )
    out = module(support(2 * SPLIT + PRIOR))
    assert only(mean).shape == only(scale).shape == (2, SPLIT + PRIOR, 2, 2)
    assert out[:, 2 * SLICE :].unique().tolist() == [1.0]
    assert only(module.scale_cc).unique().tolist() == [2.0]


@pytest.mark.parametrize("emit", ["both", "", None, "none"])
def test_other_ways_to_emit_are_refused(emit: Any) -> None:
    with pytest.raises(ValueError, match="emit_mean_support is False, True, 'pre' or 'post', not"):
        head(emit_mean_support=emit)


def test_keys_are_those_of_its_nets() -> None:
    conv = {name: nn.Conv2d(1, 1, 1) for name in ("mean_cc", "scale_cc", "mean_support_transform")}
    assert sorted(MeanScaleContextHead(**conv).state_dict()) == [
        f"{name}.{tensor}"
        for name in ("mean_cc", "mean_support_transform", "scale_cc")
        for tensor in ("bias", "weight")
    ]
