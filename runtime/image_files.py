"""Image files <-> tensors."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from codecspec.schema.errors import StreamError
from codecspec.schema.whole_file import whole_file

_PLAIN = {"RGB", "L", "P", "1", "CMYK", "YCbCr"}


def read_image(path: Path) -> Tensor:
    """An image file as (1, 3, H, W) float32 in [0, 1]; turned as its EXIF orientation says.

    Grey and palette images become RGB; an alpha channel is dropped where it is opaque everywhere.

    Raises:
        StreamError: it is no image, has transparency, or has more than 8 bits a sample.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                upright = ImageOps.exif_transpose(image)
                rgb = _as_rgb(upright, path)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        reason = getattr(error, "strerror", None) or error
        raise StreamError("E-image", str(path), f"it cannot be read as an image: {reason}") from error
    samples = torch.from_numpy(np.asarray(rgb).copy())
    return samples.permute(2, 0, 1).unsqueeze(0).contiguous().float().div_(255)


def write_image(x: Tensor, path: Path) -> None:
    """Write (1, 3, H, W) in [0, 1], rounded to 8 bits, in the format that the file's ending names.

    Raises:
        StreamError: the ending names no image format.
        UsageError: the file cannot be written.
    """
    Image.init()
    file_format = Image.EXTENSION.get(path.suffix.lower())
    if file_format not in Image.SAVE:
        raise StreamError("E-image", str(path), f"'{path.suffix}' names no image format", "use .png")
    samples = x[0].clamp(0, 1).mul(255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
    with whole_file(path) as partial:
        Image.fromarray(samples).save(partial, format=file_format)


def _as_rgb(image: Image.Image, path: Path) -> Image.Image:
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        low, _ = image.convert("RGBA").getchannel("A").getextrema()
        if low != 255:
            message = "it is transparent in places, and a codec for RGB would lose that"
            raise StreamError("E-image", str(path), message, "flatten it first")
        return image.convert("RGBA").convert("RGB")
    if image.mode not in _PLAIN:
        raise StreamError("E-image", str(path), f"its samples are of mode {image.mode}; 8 bits a sample are coded")
    return image.convert("RGB")
