"""One image coded, decoded and measured."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from codecspec.runtime.evaluation.quality import decibels_of_ms_ssim, quality
from codecspec.runtime.image_files import ImageFile
from codecspec.runtime.peak_memory import peak_bytes, reset_peak
from codecspec.runtime.streams.container import Coder, Profile, Stream
from codecspec.runtime.streams.image_streams import decode_image, encode_image
from codecspec.runtime.streams.rate_report import PartRate, rates_described

if TYPE_CHECKING:
    from codecspec.runtime.codec import Codec

LARGE_GAP = 0.01
"""A file whose size differs from what its likelihoods say by more than this is worth a word."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What came of one image.

    Args:
        width: in pixels.
        height: in pixels.
        bit_depth: bits a sample.
        num_bytes: of the whole coded file; None where nothing was coded.
        estimated_bits: sum of -log2 of the likelihoods of what is coded.
        psnr_rgb: dB.
        psnr_y: dB.
        ms_ssim: 0 to 1; None for an image with a side under 161 pixels.
        encode_s: seconds from samples in memory to a file's bytes, the likelihoods taken down on the way. An evaluation
            reads the weights once for what all streams say of them, and not in this.
        decode_s: seconds from a file's bytes to samples in memory; as there.
        peak_bytes: most memory in use meanwhile, see `peak_memory`.
        cause: why the file is larger or smaller than its likelihoods say; empty where the gap is small.
    """

    width: int
    height: int
    bit_depth: int
    num_bytes: int | None
    estimated_bits: float
    psnr_rgb: float
    psnr_y: float
    ms_ssim: float | None
    encode_s: float | None
    decode_s: float | None
    peak_bytes: int
    cause: str = ""

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height

    @property
    def bpp(self) -> float | None:
        """Bits of the whole file per pixel."""
        return None if self.num_bytes is None else 8 * self.num_bytes / self.pixels

    @property
    def bpp_estimated(self) -> float:
        """Bits by the likelihoods, per pixel."""
        return self.estimated_bits / self.pixels

    @property
    def gap(self) -> float | None:
        """How much larger the file is than the likelihoods say, as a share of those."""
        return gap(self.bpp, self.bpp_estimated)

    @property
    def ms_ssim_db(self) -> float | None:
        """-10 log10(1 - MS-SSIM)."""
        return decibels_of_ms_ssim(self.ms_ssim)


def gap(real: float | None, estimated: float) -> float | None:
    """How much larger `real` is than `estimated`, as a share of it; None where there is nothing to compare."""
    return None if real is None or estimated <= 0 else real / estimated - 1


def is_large(share: float | None) -> bool:
    """Whether a gap is worth a word."""
    return share is not None and abs(share) > LARGE_GAP


@torch.no_grad()
def measure_coded(
    codec: Codec,
    file: ImageFile,
    where: str,
    *,
    profile: Profile | None = None,
    coder: Coder = "codecspec",
    meanwhile: Callable[[], object] = lambda: None,
) -> Measurement:
    """Code an image into a file, decode that file, and measure.

    Args:
        codec: the model.
        file: the image.
        where: what errors call it.
        profile: as in `encode_image`.
        coder: as in `encode_image`.
        meanwhile: called when all is coded, decoded and timed, and before the images are compared.

    Raises:
        SpecError: it cannot be coded or decoded by this model.
    """
    x = file.x_for(codec.spec.in_channels, where)
    first = next(codec.parameters())
    reset_peak(first.device)
    rates: list[PartRate] = []
    start = time.perf_counter()
    given = x.to(first.device, first.dtype)
    stream = encode_image(codec, given, bit_depth=file.bit_depth, profile=profile, coder=coder, rates=rates)
    data = stream.to_bytes()
    encode_s = time.perf_counter() - start
    data = _through_a_file(data)
    start = time.perf_counter()
    x_hat = decode_image(codec, Stream.from_bytes(data)).cpu()
    decode_s = time.perf_counter() - start
    peak = peak_bytes(first.device)
    meanwhile()
    estimated = sum(rate.likelihood_bits for rate in rates)
    found = quality(x, x_hat, file.bit_depth)
    return Measurement(
        width=x.shape[-1],
        height=x.shape[-2],
        bit_depth=file.bit_depth,
        num_bytes=len(data),
        estimated_bits=estimated,
        psnr_rgb=found.psnr_rgb,
        psnr_y=found.psnr_y,
        ms_ssim=found.ms_ssim,
        encode_s=encode_s,
        decode_s=decode_s,
        peak_bytes=peak,
        cause=_cause(codec, stream, rates) if is_large(gap(8 * len(data), estimated)) else "",
    )


@torch.no_grad()
def measure_estimated(
    codec: Codec, file: ImageFile, where: str, *, meanwhile: Callable[[], object] = lambda: None
) -> Measurement:
    """Run the forward pass on an image and measure: rates by the likelihoods alone, nothing coded.

    Args:
        codec: the model.
        file: the image.
        where: what errors call it.
        meanwhile: called before the images are compared.

    Raises:
        SpecError: the image is none for this model.
    """
    x = file.x_for(codec.spec.in_channels, where)
    first = next(codec.parameters())
    reset_peak(first.device)
    out = codec(x.expand(-1, codec.spec.in_channels, -1, -1).to(first.device, first.dtype))
    bits = sum(_bits(likelihoods) for likelihoods in out["likelihoods"].values())
    x_hat = out["x_hat"].cpu().clamp(0, 1)
    peak = peak_bytes(first.device)
    meanwhile()
    found = quality(x, x_hat.mean(1, keepdim=True) if x.shape[1] == 1 else x_hat, file.bit_depth)
    return Measurement(
        width=x.shape[-1],
        height=x.shape[-2],
        bit_depth=file.bit_depth,
        num_bytes=None,
        estimated_bits=bits,
        psnr_rgb=found.psnr_rgb,
        psnr_y=found.psnr_y,
        ms_ssim=found.ms_ssim,
        encode_s=None,
        decode_s=None,
        peak_bytes=peak,
    )


def _bits(likelihoods: Tensor) -> float:
    return float(-likelihoods.double().log().sum()) / math.log(2)


def _through_a_file(data: bytes) -> bytes:
    """What a file gives back of what was written to it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.csp"
        path.write_bytes(data)
        return path.read_bytes()


def _cause(codec: Codec, stream: Stream, rates: list[PartRate]) -> str:
    """What `rates_described` says below its lines for the chunks."""
    picture = stream.header.picture
    lines = rates_described(stream, rates, codec.parts(picture.height, picture.width))
    return "; ".join(line.strip() for line in lines[1 + len(stream.chunks) :])
