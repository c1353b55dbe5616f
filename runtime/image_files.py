"""Image files <-> tensors."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from codecspec.runtime.deep_images import DeepImage, deep_mode, read_deep, write_deep_png, write_deep_ppm
from codecspec.runtime.streams.container import MAX_SIDE
from codecspec.schema.errors import StreamError, listed
from codecspec.schema.missing_files import missing_hint
from codecspec.schema.whole_file import whole_file

READ = ("PNG", "JPEG", "WEBP", "PPM", "BMP", "TIFF", "GIF")
"""The formats that are read: those whose bits per sample can be told."""
READ_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".ppm", ".pgm", ".pbm", ".pnm", ".bmp", ".tif", ".tiff", ".gif")
"""The endings of files that count as images in a folder."""
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
"""Ending -> the format it names and how it is written. All but JPEG keep every sample of 8 bits."""
DEEP_WRITERS = {".png": write_deep_png, ".ppm": write_deep_ppm}
"""Endings of formats that are written with 16 bits a sample."""

_PLAIN = {"RGB", "L", "P", "1", "CMYK", "YCbCr"}
_GREY = {"1", "L", "LA", "I", "I;16", "I;16B"}
_OPAQUE_ALPHA = "it is transparent in places, and a codec for RGB would lose that"
_TURNS: dict[int, tuple[int, bool]] = {1: (0, False), 2: (0, True), 3: (2, False), 4: (2, True)}
_TURNS |= {5: (3, True), 6: (3, False), 7: (1, True), 8: (1, False)}
"""EXIF orientation -> quarter turns against the clock, and whether left and right are swapped after."""


@dataclass(frozen=True, slots=True)
class ImageFile:
    """What was in an image file.

    Args:
        x: (1, 3, H, W) float32 in [0, 1]; all three channels equal where the image is grey.
        grey: it has one channel in the file.
        bit_depth: bits a sample: 8, or up to 16.
    """

    x: Tensor
    grey: bool
    bit_depth: int

    def x_for(self, channels: int, where: str = "image") -> Tensor:
        """x with as many channels as the file has, 1 or 3, for a codec of `channels`.

        Raises:
            StreamError: the image has colours, and the codec has one channel.
        """
        if channels == 1 and not self.grey:
            raise StreamError("E-image", where, "it has colours, and the model codes grey images", "make it grey first")
        return self.x[:, :1] if self.grey else self.x


def read_image(path: Path) -> Tensor:
    """An image file as (1, 3, H, W) float32 in [0, 1]; see `read_image_file`."""
    return read_image_file(path).x


def read_image_file(source: Path | bytes, name: str | None = None) -> ImageFile:
    """Read an image, turned as its EXIF orientation says.

    Grey and palette images become RGB; an alpha channel is dropped where it is opaque everywhere. Of several frames the
    first is read. PNG and PPM are read with up to 16 bits a sample, the other formats with 8.

    Args:
        source: the file, or what is in it.
        name: what errors call it; its path by default.

    Raises:
        StreamError: it is no image, has transparency, more bits a sample than are read, or a side over 65535.
    """
    where = name or str(source if isinstance(source, Path) else "image")
    try:
        data = source.read_bytes() if isinstance(source, Path) else source
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of metadata that is no concern here
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=READ) as image:
                return _read(image, data, where)
    except StreamError:
        raise
    except UnidentifiedImageError as error:
        message = "it cannot be read as an image: it is in none of the formats that are read"
        raise StreamError("E-image", where, message, f"those are: {listed(READ)}") from error
    except FileNotFoundError as error:
        raise StreamError("E-image", where, "no such file", missing_hint(where)) from error
    except Exception as error:  # on a broken file, readers raise whatever comes first
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise StreamError("E-image", where, f"it cannot be read as an image: {reason}") from error


def write_image(x: Tensor, path: Path, *, bit_depth: int = 8) -> None:
    """Write (1, 1 or 3, H, W) in [0, 1] in the format that the file's ending names.

    Args:
        x: the image; of one channel, it is written as a grey image.
        path: its ending is the format.
        bit_depth: with more than 8, PNG and PPM get 16 bits a sample; other formats have 8.

    Raises:
        StreamError: the ending names no format that is written.
        UsageError: the file cannot be written.
    """
    format_of(path)
    with whole_file(path) as partial, partial.open("wb") as file:
        _write(x, file, path, bit_depth)


def png_bytes(x: Tensor, *, bit_depth: int = 8) -> bytes:
    """(1, 1 or 3, H, W) in [0, 1] as a PNG; see `write_image`."""
    file = io.BytesIO()
    _write(x, file, Path("image.png"), bit_depth)
    return file.getvalue()


def format_of(path: Path) -> tuple[str, dict[str, Any]]:
    """The format that the ending of an output names, and how it is written.

    Raises:
        StreamError: the ending names no format that is written.
    """
    if path.suffix.lower() not in WRITTEN:
        found = f"'{path.suffix}' names no image format that is written" if path.suffix else "it has no ending"
        raise StreamError("E-image", str(path), f"{found}; there are: {listed(WRITTEN)}", "use .png")
    return WRITTEN[path.suffix.lower()]


def _write(x: Tensor, file: BinaryIO, path: Path, bit_depth: int) -> None:
    deep = DEEP_WRITERS.get(path.suffix.lower()) if bit_depth > 8 else None
    samples = x[0].clamp(0, 1).mul(65_535 if deep else 255).round().permute(1, 2, 0).cpu().numpy()
    if deep:
        deep(samples.astype(np.uint16), file)
        return
    file_format, options = format_of(path)
    plain = samples.astype(np.uint8)
    Image.fromarray(plain[..., 0] if plain.shape[2] == 1 else plain).save(file, format=file_format, **options)


def _read(image: Image.Image, data: bytes, where: str) -> ImageFile:
    if max(image.size) > MAX_SIDE:
        message = f"it has {image.width}x{image.height} pixels; sides up to {MAX_SIDE} are coded"
        raise StreamError("E-image", where, message)
    mode = deep_mode(image)
    deep = None if mode is None else read_deep(image, data)
    if deep is not None:
        return _of_deep(deep, image.getexif().get(0x0112, 1), where)
    if mode is not None:
        message = f"its samples are of mode {mode}; more than 8 bits a sample are read from PNG and PPM"
        raise StreamError("E-image", where, message, "convert it to PNG")
    grey = image.mode in _GREY
    ImageOps.exif_transpose(image, in_place=True)
    rgb = np.asarray(_as_rgb(image, where))
    return ImageFile(_tensor(rgb, 255), grey, 8)


def _of_deep(deep: DeepImage, orientation: int, where: str) -> ImageFile:
    samples, channels = deep.samples, deep.samples.shape[2]
    if channels in (2, 4):
        if int(samples[..., -1].min()) < deep.highest:
            raise StreamError("E-image", where, _OPAQUE_ALPHA, "flatten it first")
        samples = samples[..., :-1]
    turns, swapped = _TURNS.get(orientation, (0, False))
    samples = np.rot90(samples, turns)
    samples = samples[:, ::-1] if swapped else samples
    grey = samples.shape[2] == 1
    rgb = samples.repeat(3, axis=2) if grey else samples
    return ImageFile(_tensor(rgb, deep.highest), grey, deep.highest.bit_length())


def _tensor(rgb: NDArray[Any], highest: int) -> Tensor:
    samples = torch.from_numpy(rgb.astype(np.float32))
    return samples.permute(2, 0, 1).unsqueeze(0).contiguous().div_(highest)


def _as_rgb(image: Image.Image, where: str) -> Image.Image:
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        low, _ = image.convert("RGBA").getchannel("A").getextrema()
        if low != 255:
            raise StreamError("E-image", where, _OPAQUE_ALPHA, "flatten it first")
        return image.convert("RGBA").convert("RGB")
    if image.mode not in _PLAIN:
        message = f"its samples are of mode {image.mode}; RGB, grey and palette images are coded"
        raise StreamError("E-image", where, message)
    return image if image.mode == "RGB" else image.convert("RGB")
