"""Images that are given in another way than a codec was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from codecspec.diagnosis.dead_leaves import dead_leaves
from codecspec.diagnosis.inputs import AS_IT_IS, COLOURS_DB, RANGE_DB, RANGES, Given, input_findings
from codecspec.runtime.codec import Codec

X = dead_leaves(192, 192)
NOISE = torch.randn(X.shape, generator=torch.Generator().manual_seed(0))


@dataclass
class _Fake:
    """What gives back what it gets with noise that depends on the way it gets it, at one bit per pixel."""

    noise: dict[tuple[str, bool], float]
    spec: Any

    def __call__(self, x: Tensor) -> dict[str, Any]:
        plain = X[:, : self.spec.in_channels]
        for way in (AS_IT_IS, *RANGES):
            for flipped in (False, True):
                given = plain.flip(1) if flipped else plain
                if torch.equal(x, way.into(given)):
                    level = self.noise.get((way.change, flipped), 0.2)
                    x_hat = way.into(given + level * NOISE[:, : self.spec.in_channels])
                    return {"x_hat": x_hat, "likelihoods": {"y": torch.full((1, 1, *x.shape[-2:]), 0.5)}}
        raise AssertionError("given in no way that is known")


def said_of(noise: dict[tuple[str, bool], float], channels: int = 3) -> tuple[str, str]:
    codec = cast(Codec, _Fake(noise, SimpleNamespace(in_channels=channels)))
    [found] = input_findings(codec, [X[:, :channels]])
    return found.verdict, found.message


@pytest.mark.parametrize("way", RANGES, ids=lambda way: way.change)
def test_another_range(way: Given) -> None:
    for channels in (1, 3):
        verdict, message = said_of({(way.change, False): 0.02}, channels)
        assert verdict == "wrong"
        assert message.startswith(f"images are better when given {way.change}: 1.000 bits per pixel at ")


def test_another_order_of_colours() -> None:
    start = "images are better when given"
    assert said_of({("", True): 0.02})[1].startswith(f"{start} as BGR: ")
    both = {("from 0 to 255", True): 0.02, ("from 0 to 255", False): 0.08}
    assert said_of(both)[1].startswith(f"{start} from 0 to 255 as BGR: ")


def test_as_it_should_be() -> None:
    for channels in (1, 3):
        assert said_of({("", False): 0.02}, channels)[0] == "fine"


def test_nothing_that_shows_no_picture_is_named() -> None:
    """As of weights that nobody trained, whose grey may be nearer in another range."""
    poor = {(way.change, flipped): 2.0 for way in (AS_IT_IS, *RANGES) for flipped in (False, True)}
    assert said_of({**poor, ("from -1 to 1", False): 0.5})[0] == "fine"
    assert said_of({**poor, ("from -1 to 1", False): 0.1})[0] == "wrong"


def test_less_than_a_margin_is_nothing() -> None:
    """Noise of 0.02 is 20 log10(1.25) = 1.9 dB better than of 0.025."""
    for other in (("", True), ("from -1 to 1", False)):
        assert said_of({("", False): 0.025, other: 0.02})[0] == "fine"
    assert 1.9 < RANGE_DB <= COLOURS_DB
