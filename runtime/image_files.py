"""Image files <-> tensors."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from codecspec.runtime.streams import MAX_SIDE
from codecspec.schema.errors import StreamError, listed
from codecspec.schema.whole_file import whole_file

READ = ("PNG", "JPEG", "WEBP", "PPM", "BMP", "TIFF", "GIF")
"""The formats that are read: those whose bits per sample can be told."""
WRITTEN: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {}),
    ".ppm": ("PPM", {}),
    ".bmp": ("BMP", {}),
    ".tif": ("TIFF", {}),
    ".tiff": ("TIFF", {}),
    ".webp": ("WEBP", {"lossless": True}),
    ".jpg": ("JPEG", {"quality": 95}),
    ".jpeg": ("JPEG", {"quality": 95}),
}
"""Ending -> the format it names and how it is written. All but JPEG keep every sample."""

_PLAIN = {"RGB", "L", "P", "1", "CMYK", "YCbCr"}
_DEEP = re.compile(r"(RGB[AaX]?|LA?|I|CMYK);16")
"""Pillow's names for samples of 16 bits in a file; it cuts them to 8 without a word. (`BGR;16` is 16 bits a pixel.)"""


def read_image(path: Path) -> Tensor:
    """An image file as (1, 3, H, W) float32 in [0, 1]; turned as its EXIF orientation says.

    Grey and palette images become RGB; an alpha channel is dropped where it is opaque everywhere. Of several frames the
    first is read.

    Raises:
        StreamError: it is no image, has transparency, more than 8 bits a sample or a side over 65535.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of metadata that is no concern here
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=READ) as image:
                _require_codable(image, path)
                rgb = _as_rgb(ImageOps.exif_transpose(image), path)
    except StreamError:
        raise
    except UnidentifiedImageError as error:
        message = "it cannot be read as an image: it is in none of the formats that are read"
        raise StreamError("E-image", str(path), message, f"those are: {listed(READ)}") from error
    except Exception as error:  # on a broken file, Pillow's readers raise whatever comes first
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise StreamError("E-image", str(path), f"it cannot be read as an image: {reason}") from error
    samples = torch.from_numpy(np.asarray(rgb).copy())
    return samples.permute(2, 0, 1).unsqueeze(0).contiguous().float().div_(255)


def write_image(x: Tensor, path: Path) -> None:
    """Write (1, 3, H, W) in [0, 1], rounded to 8 bits, in the format that the file's ending names.

    Raises:
        StreamError: the ending names no format that is written.
        UsageError: the file cannot be written.
    """
    file_format, options = format_of(path)
    samples = x[0].clamp(0, 1).mul(255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
    with whole_file(path) as partial:
        Image.fromarray(samples).save(partial, format=file_format, **options)


def format_of(path: Path) -> tuple[str, dict[str, Any]]:
    """The format that the ending of an output names, and how it is written.

    Raises:
        StreamError: the ending names no format that is written.
    """
    if path.suffix.lower() not in WRITTEN:
        found = f"'{path.suffix}' names no image format that is written" if path.suffix else "it has no ending"
        raise StreamError("E-image", str(path), f"{found}; there are: {listed(WRITTEN)}", "use .png")
    return WRITTEN[path.suffix.lower()]


def _require_codable(image: Image.Image, path: Path) -> None:
    """Look at the size, and at how the file stores its samples; Pillow's mode does not say."""
    if max(image.size) > MAX_SIDE:
        message = f"it has {image.width}x{image.height} pixels; sides up to {MAX_SIDE} are coded"
        raise StreamError("E-image", str(path), message)
    for codec, _, _, args in getattr(image, "tile", ()):
        stored = args if isinstance(args, tuple) else (args,)
        deep = [str(part) for part in stored if _DEEP.match(str(part))]
        if codec.startswith("ppm") and stored[-1] > 255:
            deep = [f"{stored[0]} up to {stored[-1]}"]
        if deep:
            raise StreamError("E-image", str(path), f"its samples are of mode {deep[0]}; 8 bits a sample are coded")


def _as_rgb(image: Image.Image, path: Path) -> Image.Image:
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        low, _ = image.convert("RGBA").getchannel("A").getextrema()
        if low != 255:
            message = "it is transparent in places, and a codec for RGB would lose that"
            raise StreamError("E-image", str(path), message, "flatten it first")
        return image.convert("RGBA").convert("RGB")
    if image.mode not in _PLAIN:
        message = f"its samples are of mode {image.mode}; RGB, grey and palette images of 8 bits a sample are coded"
        raise StreamError("E-image", str(path), message)
    return image.convert("RGB")
