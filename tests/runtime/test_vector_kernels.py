"""Vectors inside kernels against what PyTorch computes in float64."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import pytest
import torch
from torch import Tensor

from codecspec.runtime import vector_kernels as vectors


def each(function: Any) -> Callable[[Tensor], Tensor]:
    """A function of vectors as one of tensors whose sizes are multiples of 8."""
    load, store = vectors.load, vectors.store

    @numba.njit(error_model="numpy")
    def kernel(x: int, out: int, size: int) -> None:
        for i in range(0, size, 32):
            store(function(load(x + i)), out + i)

    def of_tensor(x: Tensor) -> Tensor:
        out = torch.empty_like(x)
        kernel(x.data_ptr(), out.data_ptr(), x.nbytes)
        return out

    return of_tensor


def test_powers_of_two() -> None:
    power = each(vectors.power_of_two)
    x = torch.linspace(-99.5, 126, 2**16)
    expected = torch.exp2(x.double())
    assert ((power(x) - expected) / expected).abs().max() < 2.2e-7
    whole = torch.arange(-96.0, 120)
    assert ((power(whole) - torch.exp2(whole)) / torch.exp2(whole)).abs().max() < 1.3e-7
    small = power(torch.tensor([-100.0, -101.0, -144.0, -1e30, -torch.inf, -100.0, -100.0, -100.0]))
    assert torch.equal(small, small[0].expand(8))
    assert 0 < small[0] < 1e-30


def test_gelu() -> None:
    gelu = each(vectors.gelu)
    x = torch.linspace(-9, 9, 2**18)
    assert ((gelu(x) - torch.nn.functional.gelu(x.double())).abs() / x.abs().clamp(min=1)).max() < 2.5e-7
    far = torch.tensor([-1e30, -100.0, -7.0, -6.0, 0.0, 6.0, 100.0, 1e30])
    assert torch.equal(gelu(far), far.clamp(min=0))


@pytest.mark.parametrize("kind", ["sum_of", "largest_of"])
def test_lanes_come_together(kind: str) -> None:
    load, over_lanes = vectors.load, getattr(vectors, kind)

    @numba.njit(error_model="numpy")
    def kernel(x: int) -> float:
        return over_lanes(load(x))  # type: ignore[no-any-return]

    x = torch.tensor([3.0, -1.0, 4.0, 8.0, -5.0, 9.0, 2.0, 6.0])
    assert kernel(x.data_ptr()) == {"sum_of": 26, "largest_of": 9}[kind]


def test_rows_become_columns() -> None:
    transpose = vectors.transpose

    @numba.njit(error_model="numpy")
    def kernel(source: int, target: int) -> None:
        transpose(source, 48, target, 64)

    source, target = torch.arange(96.0).view(8, 12), torch.zeros(8, 16)
    kernel(source.data_ptr(), target.data_ptr())
    assert torch.equal(target[:, :8], source[:, :8].T)
    assert not target[:, 8:].any()


SIXTEEN = """
import torch
from llvmlite import binding
known = binding.get_host_cpu_features
binding.get_host_cpu_features = lambda: {**known(), "avx512f": True}
from codecspec.runtime import vector_kernels
binding.get_host_cpu_features = known
from codecspec.runtime.layers.conv import Conv2d
from codecspec.runtime.layers.gdn import GDN
from codecspec.runtime.layers.naf import NAFBlock
from codecspec.runtime.layers.transformer_block import TransformerBlock
from codecspec.runtime.layers.two_ways import choose_way

assert vector_kernels.LANES == 16
torch.set_grad_enabled(False)
layers = [TransformerBlock(48, num_heads=n, window=4, shift=2, masked=-100.0) for n in (3, 6)]
layers += [Conv2d(48, 48, 3, padding=1), Conv2d(48, 64, 3, padding=1), GDN(48), NAFBlock(48)]
for layer in layers:
    layer.eval()
    for parameter in layer.parameters():
        parameter.copy_(torch.randn(parameter.shape).abs() / 8)
    x = torch.randn(2, 48, 13, 30)
    choose_way(layer, fast=True)
    fast = layer(x)
    choose_way(layer.double(), fast=False)
    exact = layer(x.double())
    assert 0 < (fast - exact).abs().max() < 1e-5 * exact.abs().max(), layer
"""


@pytest.mark.slow
def test_vectors_of_sixteen_compute_the_same(tmp_path: Path) -> None:
    """As on a machine with AVX-512; here each is two of eight."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}  # its code is not for this machine
    subprocess.run([sys.executable, "-c", SIXTEEN], check=True, env=environment)
