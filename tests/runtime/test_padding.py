"""Images of any size: padded by repeating the last row and column, no more than needed."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from codecspec.runtime.padding import pad_to_multiple, padded_size

sides = st.integers(1, 65_535)
multiples = st.integers(1, 1024)


@given(sides, sides, multiples)
def test_the_smallest_multiples_that_hold_the_image(height: int, width: int, multiple: int) -> None:
    for side, padded in zip((height, width), padded_size(height, width, multiple), strict=True):
        assert padded % multiple == 0
        assert side <= padded < side + multiple


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 8), (8, 8), (9, 15), (16, 24)])
@pytest.mark.parametrize("multiple", [1, 2, 8, 64])
def test_every_position_of_the_padding_is_the_nearest_of_the_image(size: tuple[int, int], multiple: int) -> None:
    height, width = size
    x = torch.arange(2.0 * 3 * height * width).view(2, 3, height, width)
    padded = pad_to_multiple(x, multiple)
    assert padded.shape == (2, 3, *padded_size(height, width, multiple))
    for i in range(padded.shape[2]):
        for j in range(padded.shape[3]):
            assert torch.equal(padded[:, :, i, j], x[:, :, min(i, height - 1), min(j, width - 1)])


def test_what_fits_is_not_copied() -> None:
    x = torch.rand(1, 3, 64, 128)
    assert pad_to_multiple(x, 64) is x


def test_gradients_of_the_padding_go_to_the_edge() -> None:
    x = torch.zeros(1, 1, 2, 2, requires_grad=True)
    pad_to_multiple(x, 4).sum().backward()
    assert x.grad is not None
    assert x.grad[0, 0].tolist() == [[1.0, 3.0], [3.0, 9.0]]
