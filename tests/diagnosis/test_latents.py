"""What is said of latents under the models that should be theirs, against figures computed by hand and by NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from codecspec.diagnosis.dead_leaves import dead_leaves
from codecspec.diagnosis.latents import Seen, _costs, _impossible, _watched, expected_bits
from tests.runtime.small_codecs import small


def entropy(scale: float) -> float:
    """Bits of an integer under a Gaussian convolved with a unit box, by the error function alone."""
    root = scale * math.sqrt(2)
    found = 0.0
    for k in range(-int(10 * scale) - 2, int(10 * scale) + 3):
        mass = (math.erf((k + 0.5) / root) - math.erf((k - 0.5) / root)) / 2
        found -= mass * math.log2(mass) if mass > 0 else 0
    return found


@pytest.mark.parametrize("scale", [0.11, 0.137, 0.5, 1.0, 7.3, 60.0])
def test_expected_bits(scale: float) -> None:
    assert expected_bits(np.array([scale])) == pytest.approx([entropy(scale)], rel=0.01)


def test_what_is_seen_is_what_likelihoods_say() -> None:
    codec = small("elic")
    x = dead_leaves(128, 128)
    with torch.no_grad(), _watched(codec) as seen:
        likelihoods = codec(x)["likelihoods"]
    learned = [each for each in seen if not each.expected_bits]
    assert [each.path for each in learned] == ["latent_codec.z.entropy_bottleneck"]
    assert learned[0].bits == pytest.approx(float(-likelihoods["z"].double().log2().sum()))
    assert len(seen) == 5
    y = [each for each in seen if each.expected_bits]
    assert sum(each.bits for each in y) == pytest.approx(float(-likelihoods["y"].double().log2().sum()))
    assert sum(each.values for each in y) == likelihoods["y"].numel()


def test_the_part_that_is_too_dear_is_named() -> None:
    fine = [Seen(f"y{i}", bits=950.0, expected_bits=1000.0, values=1000) for i in range(3)]
    [found] = _costs(fine)
    assert (found.verdict, found.message) == ("fine", "y costs 0.95 times the bits that its scales predict")
    [found] = _costs([*fine, Seen("y3", bits=80000.0, expected_bits=1000.0, values=1000)])
    assert (found.verdict, found.keys) == ("wrong", ("y3",))
    assert found.message.endswith("predict: y3 (80 times); the other 3 do not")
    [found] = _costs([*fine, Seen("y3", bits=5000.0, expected_bits=1000.0, values=1000)])
    assert found.verdict == "note"


def test_hardly_any_bits_are_no_matter() -> None:
    assert [each.verdict for each in _costs([Seen("y0", bits=13.0, expected_bits=0.1, values=1000)])] == ["fine"]


def test_values_that_are_not_possible() -> None:
    assert _impossible([Seen("z", bits=1.0, values=1000, impossible=40)]) == []
    [found] = _impossible([Seen("z", bits=1.0, values=1000, impossible=200)])
    assert found.verdict == "note"
    assert found.message.endswith("their learned density: z (20.0%)")
