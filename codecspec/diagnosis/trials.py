"""A codec, and the variants of its spec with the same tensors, on images."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from codecspec.compiler.build import build
from codecspec.compiler.variants import Aspect, Variant
from codecspec.diagnosis.finding import Finding, several
from codecspec.runtime.evaluation.quality import quality
from codecspec.schema.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor

    from codecspec.runtime.codec import Codec

DB_PER_DOUBLING = 5.0
"""What twice the rate is worth, for codecs and images of the usual kind."""
MARGINS_DB: dict[Aspect, float] = {
    "chunks": 3.0,
    "nets": 3.0,
    "values": 3.0,
    "activation": 3.0,
    "support": 0.4,
    "parity": 0.4,
}
"""By so much more (see `Trial.score`) a variant must be better to be named.

Measured on 23 checkpoints of small codecs: mean-scale hyperprior, checkerboard and channel groups with transforms of
the support, nine seeds, after 100 to 1000 steps of training, on two pictures. Means and scales exchanged cost 10 to 15
dB, in every one. The wrong support cost up to 4.3 dB and gave up to 0.13, in a codec of 100 steps; from 300 steps on
first slices were told from recent ones, and slices from their opposite order, by at least 0.5, and the emitted support
cost 0.02 to 0.87. A wrong activation cost up to 1.4 dB and gave up to 2.1 (0.8 after 1000 steps): among small codecs it
cannot be told. Parities differ by up to 0.11, and cannot be told either. A margin is more than what a wrong spec gave.

Values were measured on 7 other small codecs: roots that are none gave up to 1.3 dB, those that are gave 9 in a codec of
3000 steps, and no more than 1.3 in those of 60 to 1500.
"""
PEDESTAL_BITS = 36
"""CompressAI's GDN adds two to the minus so many to a parameter before it takes the root."""
SAME_DB = 0.05
"""Scores that differ by less are the same: those of ReLU and leaky ReLU are, and mostly those of the two parities,
which are the same nets on a picture moved by one position."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A forward pass on all images.

    Args:
        bpp: bits by the likelihoods of all images, by their pixels.
        psnr_rgb: mean over the images, dB.
    """

    bpp: float
    psnr_rgb: float

    @property
    def score(self) -> float:
        """PSNR at the rate of one bit per pixel, in dB, as far as codecs are alike."""
        return self.psnr_rgb - DB_PER_DOUBLING * math.log2(max(self.bpp, 1e-6))


@torch.no_grad()
def trial(
    codec: Codec,
    images: Sequence[Tensor],
    *,
    into: Callable[[Tensor], Tensor] = lambda x: x,
    back: Callable[[Tensor], Tensor] = lambda x: x,
) -> Trial | None:
    """Put a codec on images; None where something is not finite.

    Args:
        codec: the codec.
        images: (1, C, H, W) in [0, 1].
        into: what is made of an image before the codec gets it.
        back: the inverse.
    """
    bits = pixels = 0.0
    psnr = []
    for x in images:
        out = codec(into(x))
        bits -= sum(float(each.double().log2().sum()) for each in out["likelihoods"].values())
        pixels += x.shape[-2] * x.shape[-1]
        try:
            psnr.append(quality(x, back(out["x_hat"])).psnr_rgb)
        except SpecError:
            return None
    return Trial(bits / pixels, sum(psnr) / len(psnr)) if math.isfinite(bits) else None


def try_variants(
    tensors: Mapping[str, Tensor], found: Sequence[Variant], images: Sequence[Tensor]
) -> list[tuple[Variant, Trial]]:
    """Every variant that gives a picture, the best first.

    Args:
        tensors: canonical key -> tensor.
        found: the variants.
        images: (1, C, H, W) in [0, 1].
    """
    tried = []
    for variant in found:
        outcome = trial(_codec_of(variant, tensors), images)
        if outcome is not None:
            tried.append((variant, outcome))
    return sorted(tried, key=lambda each: -each[1].score)


def variant_findings(base: Trial | None, tried: Sequence[tuple[Variant, Trial]]) -> list[Finding]:
    """Whether a variant is so much better that it must be what the weights were trained as, and which cannot be told
    from the spec as it is: that they are not named says nothing against them."""
    if not tried:
        return [Finding("fine", "variants", "no other spec one change away has these tensors")]
    better = [each for each in tried if base is None or _gain(base, each) > MARGINS_DB[each[0].aspect]]
    if better:
        variant, best = better[0]
        message = f"better where {variant.change}: {figures(best)} instead of {figures(base)}"
        keys = (*variant.renamed, *variant.rooted)
        return [Finding("wrong", "variants", message, _what_to_do(variant), keys)]
    variant, best = tried[0]
    message = (
        f"none of {len(tried)} specs with the same tensors is better by a margin "
        f"({figures(base)}; the next {figures(best)}: {variant.change})"
    )
    return [Finding("fine", "variants", message), *_not_told(base, tried)]


def _what_to_do(variant: Variant) -> str:
    """What makes a spec, or a file, that variant."""
    if variant.renamed:
        one, other = next(iter(variant.renamed.items()))
        return f"exchange them in the file, all {len(variant.renamed)}: {one} and {other}, and so on"
    if variant.rooted:
        return (
            f"put sqrt(value + 2**-{PEDESTAL_BITS}) in the place of each in the file: {several(list(variant.rooted))}"
        )
    return "the weights were trained as that: write it in the spec and use compile-spec SPEC --weights CKPT -o OUT"


def _not_told(base: Trial | None, tried: Sequence[tuple[Variant, Trial]]) -> list[Finding]:
    """The variants that are neither better nor worse than the spec as it is, as far as these figures go."""
    gains = [(each[0], _gain(base, each)) for each in tried if base is not None]
    near = [(variant.change, gain) for variant, gain in gains if abs(gain) <= MARGINS_DB[variant.aspect]]
    if not near:
        return []
    said = [f"{change} ({'the same' if abs(gain) < SAME_DB else f'{gain:+.2f} dB'})" for change, gain in near]
    message = f"these images do not distinguish the spec from one where {'; '.join(said)}"
    hint = "more IMAGES, or a checkpoint trained for longer, may tell; otherwise only the training program does"
    return [Finding("note", "variants", message, hint)]


def _gain(base: Trial, tried: tuple[Variant, Trial]) -> float:
    """By how many dB a variant is better."""
    return tried[1].score - base.score


def figures(found: Trial | None) -> str:
    """A trial in words."""
    return f"{found.bpp:.3f} bits per pixel at {found.psnr_rgb:.2f} dB" if found else "nothing finite"


def _codec_of(variant: Variant, tensors: Mapping[str, Tensor]) -> Codec:
    codec = build(variant.plan, device="meta")
    taken = {key: tensors[variant.renamed.get(key, key)] for key in tensors}
    taken |= {key: taken[key].clamp(min=0).add(2.0**-PEDESTAL_BITS).sqrt() for key in variant.rooted}
    codec.load_state_dict(taken, strict=True, assign=True)
    return codec
