"""A codec, and the variants of its spec with the same tensors, on images."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from codecspec.compiler.build import build
from codecspec.compiler.plan import Plan
from codecspec.compiler.variants import Variant
from codecspec.diagnosis.finding import Finding
from codecspec.runtime.coding_tables import lower_bound
from codecspec.runtime.compressai_classes import GaussianConditional
from codecspec.runtime.evaluation.quality import quality
from codecspec.schema.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor

    from codecspec.runtime.codec import Codec

DB_PER_DOUBLING = 5.0
"""What twice the rate is worth, for codecs and images of the usual kind."""
MARGIN_DB = 1.0
"""By so much a variant must be better to be named."""
ALL_STUCK = 0.995


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
def trial(codec: Codec, images: Sequence[Tensor]) -> Trial | None:
    """Put a codec on images (1, C, H, W); None where something is not finite."""
    bits = pixels = 0.0
    psnr = []
    for x in images:
        out = codec(x)
        bits -= sum(float(each.double().log2().sum()) for each in out["likelihoods"].values())
        pixels += x.shape[-2] * x.shape[-1]
        try:
            psnr.append(quality(x, out["x_hat"]).psnr_rgb)
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
        outcome = trial(_codec_of(variant.plan, tensors, variant.renamed), images)
        if outcome is not None:
            tried.append((variant, outcome))
    return sorted(tried, key=lambda each: -each[1].score)


def variant_findings(base: Trial | None, tried: Sequence[tuple[Variant, Trial]]) -> list[Finding]:
    """Whether a variant is so much better that it must be what the weights were trained as."""
    if not tried:
        return [Finding("fine", "variants", "no other spec one change away has these tensors")]
    variant, best = tried[0]
    figures = f"{best.bpp:.3f} bits per pixel at {best.psnr_rgb:.2f} dB"
    mine = f"{base.bpp:.3f} at {base.psnr_rgb:.2f}" if base else "nothing finite"
    if base is None or best.score > base.score + MARGIN_DB:
        message = f"better where {variant.change}: {figures} instead of {mine}"
        hint = "the weights were trained as that: write it in the spec and use compile-spec SPEC --weights CKPT -o OUT"
        return [Finding("wrong", "variants", message, hint)]
    message = (
        f"none of {len(tried)} specs with the same tensors is better ({mine}; the next {figures}: {variant.change})"
    )
    return [Finding("fine", "variants", message)]


@torch.no_grad()
def scale_findings(codec: Codec, images: Sequence[Tensor]) -> list[Finding]:
    """How many scales lie at or under the bound below which all are one, and how many beyond the largest table."""
    models = [module for module in codec.latent_codec.modules() if isinstance(module, GaussianConditional)]
    if not models:
        return []
    low = high = total = 0
    with _scales_of(models) as seen:
        for x in images:
            codec(x)
    for model, scales in seen:
        low += int((scales <= lower_bound(model)).sum())
        high += int((scales > model.scale_table[-1]).sum()) if model.scale_table.numel() else 0
        total += scales.numel()
    message = f"{low / total:.1%} of the scales of y are at their lower bound, {high / total:.1%} beyond the last table"
    if low > ALL_STUCK * total:
        hint = "the model says nothing of y: are these weights trained, and are scales where the spec has them?"
        return [Finding("wrong", "scales", message, hint)]
    if high > 0.01 * total:
        return [Finding("wrong", "scales", message, "values under such scales cost escapes; are chunks in order?")]
    return [Finding("fine", "scales", message)]


@contextmanager
def _scales_of(models: Sequence[GaussianConditional]) -> Iterator[list[tuple[GaussianConditional, Tensor]]]:
    """The scales that Gaussian conditionals are handed while the context is open."""
    seen: list[tuple[GaussianConditional, Tensor]] = []

    def before(module: Any, given: tuple[Any, ...]) -> None:
        seen.append((module, given[1].detach()))

    handles = [model.register_forward_pre_hook(before) for model in models]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _codec_of(plan: Plan, tensors: Mapping[str, Tensor], renamed: Mapping[str, str]) -> Codec:
    codec = build(plan, device="meta")
    codec.load_state_dict({key: tensors[renamed.get(key, key)] for key in tensors}, strict=True, assign=True)
    return codec
