"""Other ranges and orders of colours that a model may have been trained on, instead of RGB in [0, 1]."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from codecspec.diagnosis.finding import Finding
from codecspec.diagnosis.trials import figures, trial

if TYPE_CHECKING:
    from torch import Tensor

    from codecspec.runtime.codec import Codec

RANGE_DB = 3.0
"""By so much more (see `Trial.score`) a picture must come out when given in another range, for that to be named.

Measured on 7 small codecs and three pictures: codecs trained on 0 to 255 gain 4.6 to 18 dB by it, those trained on 0 to
1 lose 0.5 to 24 by any other.
"""
COLOURS_DB = 4.0
"""The same for another order of colours; there the wrong one gave up to 3.0 dB and cost up to 1.6, so that codecs which
have hardly learned what colours are do not tell."""


@dataclass(frozen=True, slots=True)
class Given:
    """A way to give images.

    Args:
        change: what it is, in words.
        into: RGB in [0, 1] to what the model takes.
        back: the inverse.
    """

    change: str
    into: Callable[[Tensor], Tensor]
    back: Callable[[Tensor], Tensor]


AS_IT_IS = Given("", lambda x: x, lambda x: x)
RANGES = (
    Given("from 0 to 255", lambda x: 255 * x, lambda x: x / 255),
    Given("from -1 to 1", lambda x: 2 * x - 1, lambda x: (x + 1) / 2),
    Given("from -0.5 to 0.5", lambda x: x - 0.5, lambda x: x + 0.5),
)


def _reversed(way: Given) -> Given:
    """The same with colours in the opposite order."""
    change = f"{way.change} as BGR".lstrip()
    return Given(change, lambda x: way.into(x.flip(1)), lambda x: way.back(x).flip(1))


def input_findings(codec: Codec, images: Sequence[Tensor]) -> list[Finding]:
    """Whether images come out so much better when given in another way that the model must have been trained on that.

    Args:
        codec: the codec.
        images: (1, C, H, W) in [0, 1].
    """
    base = trial(codec, images)
    if base is None:
        return []
    best, outcome = AS_IT_IS, base
    for way in RANGES:
        tried = trial(codec, images, into=way.into, back=way.back)
        if tried and tried.score - outcome.score > (RANGE_DB if best is AS_IT_IS else 0):
            best, outcome = way, tried
    if codec.spec.in_channels == 3:
        other = _reversed(best)
        tried = trial(codec, images, into=other.into, back=other.back)
        if tried and tried.score - outcome.score > COLOURS_DB:
            best, outcome = other, tried
    if best is AS_IT_IS or outcome.psnr_rgb < _psnr_of_flat(images):
        return [Finding("fine", "inputs", "images given in another range, or as BGR, are not better by a margin")]
    message = f"images are better when given {best.change}: {figures(outcome)} instead of {figures(base)}"
    hint = (
        "the model was trained on such images, and gets RGB in [0, 1] here: fold the difference into the weights of "
        "the first and the last layer (docs/doctor.md shows how)"
    )
    return [Finding("wrong", "inputs", message, hint)]


def _psnr_of_flat(images: Sequence[Tensor]) -> float:
    """The PSNR in dB of images of which nothing is left but the mean colour: what is under it shows no picture, and
    another range may then come nearer by chance."""
    errors = [float((x - x.mean((2, 3), keepdim=True)).square().mean()) for x in images]
    return fmean(-10 * math.log10(max(error, 1e-10)) for error in errors)
