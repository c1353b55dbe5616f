"""Transposed convolutions to few channels: a convolution and a pixel shuffle that are the same."""

from __future__ import annotations

import pytest
import torch

from codecspec.runtime.layers.deconv import FEW_CHANNELS, Deconv
from codecspec.runtime.layers.two_ways import choose_way


@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
@pytest.mark.parametrize("stride", [1, 2, 3, 4])
@pytest.mark.parametrize("out", [1, 3, FEW_CHANNELS + 1])
def test_both_ways_are_the_same(kernel: int, stride: int, out: int) -> None:
    torch.manual_seed(0)
    layer = Deconv(4, out, kernel, stride=stride).double()
    x = torch.randn(2, 4, 5, 7, dtype=torch.float64)
    with torch.no_grad():
        plain = layer(x)
        choose_way(layer, fast=True)
        fast = layer(x)
    assert plain.shape == (2, out, 5 * stride, 7 * stride)
    torch.testing.assert_close(fast, plain, rtol=1e-12, atol=1e-12)
    assert torch.equal(layer(x), plain)  # with gradients
