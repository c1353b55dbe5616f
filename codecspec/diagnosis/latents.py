"""What the entropy models of a codec see of images: whether the latents are those that they were made for.

A codec that was trained as it stands is calibrated: y costs the bits that its own scales predict, and hardly any
z is all but impossible under its density. A part of another checkpoint, or under another's keys, breaks that, in the
entropy model next to it and mostly in no other, so that this tells where to look.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from codecspec.diagnosis.finding import Finding, several
from codecspec.runtime.coding_tables import entropy_models, lower_bound
from codecspec.runtime.compressai_classes import EntropyModel, GaussianConditional

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from codecspec.runtime.codec import Codec

ALL_STUCK = 0.995
"""The share of scales at their bound from which they say nothing."""
TOO_DEAR = 10.0
"""Times the expected bits from which a part of y is not what its nets were made for.

Measured on 13 small codecs with a Gaussian y, trained for 20 to 3000 steps, on three pictures: 0.67 to 1.4, but up to 6
in single slices of TCM, CCA and STF after 20 to 350 steps. With an untrained hyper-synthesis, heads exchanged or those
of another slice: 3 to 200,000.
"""
DEAR = 4.0
"""From here on it is worth a word."""
SLACK_BITS = 0.02
"""Bits per value beside which expectations are no matter: where scales are at their bound, one value in 600 that is not
at its mean costs as much."""
IMPOSSIBLE = 1e-8
"""A probability that a value of z has under no density that was trained on it."""
MANY_IMPOSSIBLE = 0.05
"""The share of such values from which it is worth a word.

There as above: none in 11 of 13 codecs, up to 0.23 in two that had seen crops with a single position of z only; with
other channels' densities up to 0.27. So this may be the training, and is no fault by itself.
"""
_MIXED = "do all tensors come from one checkpoint, each under its own key, and were all trained?"


@dataclass(slots=True)
class Seen:
    """What one entropy model was handed.

    Args:
        path: of the model.
        bits: by its likelihoods.
        expected_bits: by its scales alone; 0 where it has none.
        values: how many values.
        impossible: of these, all but impossible ones.
        low: scales at or under the bound below which all are one.
        high: scales beyond the last table.
    """

    path: str
    bits: float = 0.0
    expected_bits: float = 0.0
    values: int = 0
    impossible: int = 0
    low: int = 0
    high: int = 0


@torch.no_grad()
def latent_findings(codec: Codec, images: Sequence[Tensor]) -> list[Finding]:
    """What there is to say of scales, of what y costs under them, and of z under its density.

    Args:
        codec: the codec.
        images: (1, C, H, W) in [0, 1].
    """
    with _watched(codec) as seen:
        for x in images:
            codec(x)
    gaussian = [each for each in seen if each.expected_bits]
    learned = [each for each in seen if each.values and not each.expected_bits]
    return [*_scales(gaussian), *_costs(gaussian), *_impossible(learned)]


def _scales(seen: Sequence[Seen]) -> list[Finding]:
    if not seen:
        return []
    low, high, total = (sum(getattr(each, name) for each in seen) for name in ("low", "high", "values"))
    message = f"{low / total:.1%} of the scales of y are at their lower bound, {high / total:.1%} beyond the last table"
    if low > ALL_STUCK * total:
        hint = "the model predicts nothing about y: are these weights trained, and are scales where the spec has them?"
        return [Finding("wrong", "scales", message, hint)]
    if high > 0.01 * total:
        return [
            Finding(
                "wrong", "scales", message, "values under such scales need escape codes; is the order of chunks right?"
            )
        ]
    return [Finding("fine", "scales", message)]


def _costs(seen: Sequence[Seen]) -> list[Finding]:
    """Whether parts of y cost what their scales predict."""
    if not seen:
        return []
    dear = [each for each in seen if each.bits > TOO_DEAR * each.expected_bits + SLACK_BITS * each.values]
    if not dear:
        odd = [each for each in seen if each.bits > DEAR * each.expected_bits + SLACK_BITS * each.values]
        times = sum(each.bits for each in seen) / sum(each.expected_bits for each in seen)
        message = f"y costs {times:.2f} times the bits that its scales predict"
        if not odd:
            return [Finding("fine", "latents", message)]
        hint = f"are these images of the kind that it was trained on? If so, {_MIXED}"
        return [Finding("note", "latents", f"{message}: {several(_named(odd))}", hint, tuple(x.path for x in odd))]
    rest = f"; the other {len(seen) - len(dear)} do not" if len(dear) < len(seen) else ""
    message = f"values cost far more bits than their scales predict: {several(_named(dear))}{rest}"
    hint = f"they are far from their means, which come from a part that they were not trained with: {_MIXED}"
    return [Finding("wrong", "latents", message, hint, tuple(each.path for each in dear))]


def _named(seen: Sequence[Seen]) -> list[str]:
    return [f"{each.path} ({each.bits / each.expected_bits:.3g} times)" for each in seen]


def _impossible(seen: Sequence[Seen]) -> list[Finding]:
    """Whether values are possible under the densities that were learned for them."""
    bad = [each for each in seen if each.impossible > MANY_IMPOSSIBLE * each.values]
    if not bad:
        return []
    named = [f"{each.path} ({each.impossible / each.values:.1%})" for each in bad]
    message = f"values are almost impossible under their learned density: {several(named)}"
    hint = f"it was trained on very small crops or on other images; otherwise, {_MIXED}"
    return [Finding("note", "latents", message, hint, tuple(each.path for each in bad))]


@contextmanager
def _watched(codec: Codec) -> Iterator[list[Seen]]:
    """What the entropy models of a codec are handed while the context is open."""
    paths = {id(module): f"latent_codec.{path}" for path, module in codec.latent_codec.named_modules()}
    models = entropy_models(codec.latent_codec)
    seen = {id(model): Seen(paths[id(model)]) for model in models}

    def after(model: EntropyModel, given: tuple[Any, ...], result: tuple[Tensor, Tensor]) -> None:
        each, likelihoods = seen[id(model)], result[1].double()
        each.bits -= float(likelihoods.log2().sum())
        each.values += likelihoods.numel()
        each.impossible += int((likelihoods < IMPOSSIBLE).sum())
        if isinstance(model, GaussianConditional):
            scales, bound = given[1].detach(), lower_bound(model)
            each.expected_bits += float(expected_bits(scales.clamp(min=bound).cpu().double().numpy()).sum())
            each.low += int((scales <= bound).sum())
            each.high += int((scales > model.scale_table[-1]).sum()) if model.scale_table.numel() else 0

    handles = [model.register_forward_hook(after) for model in models]
    try:
        yield list(seen.values())
    finally:
        for handle in handles:
            handle.remove()


def expected_bits(scales: NDArray[np.float64]) -> NDArray[np.float64]:
    """The bits that an integer costs on average under a Gaussian of each scale, convolved with a unit box.

    Interpolated over the logarithm of scales between 0.05 and 1024, and there to 1 % (where it is over 1e-4 bits).
    """
    logarithms, entropies = _table()
    found: NDArray[np.float64] = np.interp(np.log(scales), logarithms, entropies)
    return found


@cache
def _table() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    scales = np.geomspace(0.05, 1024, 1024)
    return np.log(scales), np.array([_entropy(float(scale)) for scale in scales])


def _entropy(scale: float) -> float:
    reach = int(8 * scale) + 2
    edges = (torch.arange(-reach, reach + 2, dtype=torch.float64) - 0.5) / scale
    masses = torch.special.ndtr(edges).diff().clamp(min=1e-300)
    return float(-(masses * masses.log2()).sum())
