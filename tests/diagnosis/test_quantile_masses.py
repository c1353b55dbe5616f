"""The masses that the doctor says quantiles leave, against the bottleneck's density computed with NumPy alone."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from codecspec.diagnosis.tables import OFF_CENTRE, TAIL, quantile_findings
from tests.runtime.small_codecs import small

Array = np.ndarray


def cumulative(state: dict[str, torch.Tensor], values: Array) -> Array:
    """P(z <= values) of each channel by Balle et al. (2018), appendix 6.1: values (C, 1, n).

    A chain of softplus(matrix) x + bias, each but the last with x + tanh(factor) tanh(x), and a logistic at its end.
    """
    tensors = {name: tensor.double().numpy() for name, tensor in state.items()}
    layers = sum(name.startswith("matrices.") for name in tensors)
    x = values.astype(np.float64)
    for layer in range(layers):
        x = np.log1p(np.exp(tensors[f"matrices.{layer}"])) @ x + tensors[f"biases.{layer}"]
        if layer + 1 < layers:
            x = x + np.tanh(tensors[f"factors.{layer}"]) * np.tanh(x)
    result: Array = (1 + np.tanh(x / 2)) / 2
    return result


def test_masses() -> None:
    codec = small("mbt2018-mean")
    bottleneck = codec.latent_codec.z.entropy_bottleneck
    channels = bottleneck.quantiles.shape[0]
    with torch.no_grad():
        bottleneck.quantiles.copy_(torch.tensor([-200.0, 0.0, 200.0]).expand(channels, 1, 3))
        bottleneck.quantiles[:3, 0, 0] = torch.tensor([-0.5, -1.0, -2.0])
        bottleneck.quantiles[5:9, 0, 2] = torch.tensor([0.25, 0.5, 1.0, 2.0])
        bottleneck.quantiles[3:5, 0, 1] += 40
    state = {key: value for key, value in bottleneck.state_dict().items() if value.is_floating_point()}
    mass = cumulative(state, bottleneck.quantiles.detach().numpy())[:, 0]
    assert (np.diff(mass) >= 0).all(), "a distribution"
    tail = mass[:, 0] + 1 - mass[:, 2]
    [found] = quantile_findings(codec)
    said = re.search(
        r"off: (\d+) of (\d+) channels .*\(at most ([\d.e-]+)\), (\d+) have their median off", found.message
    )
    assert said is not None, found.message
    assert int(said[1]) == (tail > TAIL).sum() > 0
    assert int(said[2]) == channels
    assert float(said[3]) == pytest.approx(tail.max(), rel=0.05)
    assert int(said[4]) == (abs(mass[:, 1] - 0.5) > OFF_CENTRE).sum() > 0
