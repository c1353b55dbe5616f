"""Measurements of several models on several images, and their averages."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from statistics import fmean

from codecspec.runtime.evaluation.measurement import Measurement, gap
from codecspec.runtime.evaluation.quality import decibels_of_ms_ssim
from codecspec.runtime.streams.container import Coder, Profile

Image = tuple[str, str]
"""An image by its name and the SHA-256 of its file: in several folders, names may be the same."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How models are put on images: what a measurement depends on beside model, image and machine.

    Args:
        estimate: nothing is coded, rates are those of the likelihoods.
        profile: as in `encode_image`.
        coder: as in `encode_image`.
        max_memory: bytes that coding may take; None for no limit.
    """

    estimate: bool = False
    profile: Profile | None = None
    coder: Coder = "codecspec"
    max_memory: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One model on one image.

    Args:
        model: its name in the evaluation.
        image: its path below the folder of images.
        sha256: of the image's file, 64 hexadecimal digits: an image is known by it, and not by its name.
        measured: what came of it.
        resumed: it was measured by an earlier run.
    """

    model: str
    image: str
    sha256: str
    measured: Measurement
    resumed: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """What could not be measured.

    Args:
        model: its name in the evaluation.
        image: its path; empty where the model could not be opened.
        message: why.
    """

    model: str
    image: str
    message: str


@dataclass(frozen=True, slots=True)
class Averages:
    """Of the images of one model; each figure is the mean of the images' own where nothing else is said.

    Args:
        images: how many.
        bpp: bits of the files per pixel; None where nothing was coded.
        bpp_estimated: bits by the likelihoods.
        aggregate_bpp: bits of all files, by the pixels of all images.
        aggregate_bpp_estimated: bits by the likelihoods of all images, by the pixels of all images.
        psnr_rgb: dB.
        psnr_y: dB.
        ms_ssim: over the images that have one; None for none.
        ms_ssim_db: mean of the images' decibels; None as there.
        ms_ssim_images: how many have one.
        encode_s: seconds.
        decode_s: seconds.
        peak_bytes: of the image with the most.
    """

    images: int
    bpp: float | None
    bpp_estimated: float
    aggregate_bpp: float | None
    aggregate_bpp_estimated: float
    psnr_rgb: float
    psnr_y: float
    ms_ssim: float | None
    ms_ssim_db: float | None
    ms_ssim_images: int
    encode_s: float | None
    decode_s: float | None
    peak_bytes: int

    @property
    def gap(self) -> float | None:
        """How much larger the mean rate is than the mean of the estimated ones, as a share of it."""
        return gap(self.bpp, self.bpp_estimated)


@dataclass(slots=True)
class ModelEvaluation:
    """One model.

    Args:
        name: as it was given.
        spec: the name of its spec.
        spec_hash: of the spec, 64 hexadecimal digits.
        digest: of its weights and coding tables, 32 hexadecimal digits.
        parameters: how many.
        rows: an image each.
    """

    name: str
    spec: str
    spec_hash: str
    digest: str
    parameters: int
    rows: list[Row] = field(default_factory=list)

    @property
    def averages(self) -> Averages | None:
        """None where no image could be measured."""
        return averages([row.measured for row in self.rows]) if self.rows else None

    @property
    def images(self) -> frozenset[Image]:
        """Those that were measured."""
        return frozenset((row.image, row.sha256) for row in self.rows)

    def averages_over(self, images: Collection[Image]) -> Averages | None:
        """The averages of these images; None where none of them was measured."""
        measured = [row.measured for row in self.rows if (row.image, row.sha256) in images]
        return averages(measured) if measured else None


@dataclass(slots=True)
class Evaluation:
    """What `evaluate` gives.

    Args:
        models: those that could be opened.
        failures: what could not be measured.
        settings: how models were put on images.
        device: where it ran.
        wall_s: seconds that all of it took.
        opening_s: of those, for opening the models.
        warming_s: of those, for coding one small image with each model before the others, which no other time holds.
        coding_s: of those, for coding and decoding.
    """

    models: list[ModelEvaluation]
    failures: list[Failure]
    settings: Settings
    device: str
    wall_s: float = 0.0
    opening_s: float = 0.0
    warming_s: float = 0.0
    coding_s: float = 0.0

    @property
    def rows(self) -> list[Row]:
        """Of all models."""
        return [row for model in self.models for row in model.rows]

    @property
    def common_images(self) -> frozenset[Image]:
        """The images that every model was measured on; models that were measured on none are left out."""
        measured = [model.images for model in self.models if model.rows]
        return frozenset.intersection(*measured) if measured else frozenset()

    @property
    def differ_in_images(self) -> bool:
        """Whether averages are over different images, and so cannot be compared."""
        return any(model.images != self.common_images for model in self.models if model.rows)


def averages(measured: list[Measurement]) -> Averages:
    """The averages of at least one measurement."""
    pixels = sum(each.pixels for each in measured)
    all_bytes = [each.num_bytes for each in measured if each.num_bytes is not None]
    with_ms_ssim = [each.ms_ssim for each in measured if each.ms_ssim is not None]
    return Averages(
        images=len(measured),
        bpp=_mean(each.bpp for each in measured),
        bpp_estimated=fmean(each.bpp_estimated for each in measured),
        aggregate_bpp=8 * sum(all_bytes) / pixels if all_bytes else None,
        aggregate_bpp_estimated=sum(each.estimated_bits for each in measured) / pixels,
        psnr_rgb=fmean(each.psnr_rgb for each in measured),
        psnr_y=fmean(each.psnr_y for each in measured),
        ms_ssim=_mean(with_ms_ssim),
        ms_ssim_db=_mean(map(decibels_of_ms_ssim, with_ms_ssim)),
        ms_ssim_images=len(with_ms_ssim),
        encode_s=_mean(each.encode_s for each in measured),
        decode_s=_mean(each.decode_s for each in measured),
        peak_bytes=max(each.peak_bytes for each in measured),
    )


def _mean(values: Iterable[float | None]) -> float | None:
    """Of those that are there."""
    found = [value for value in values if value is not None]
    return fmean(found) if found else None
