"""Images of more than 8 bits a sample, of which Pillow keeps 8: PNG (through pypng) and PPM."""

from __future__ import annotations

import re
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import png
from numpy.typing import NDArray
from PIL import Image

Samples = NDArray[np.uint16]

_DEEP = re.compile(r"(RGB[AaX]?|LA?|I|CMYK);16")
"""Pillow's names for samples of 16 bits in a file; it cuts them to 8 without a word. (`BGR;16` is 16 bits a pixel.)"""


class DeepImage(NamedTuple):
    """Samples as a file has them.

    Args:
        samples: uint16 (H, W, C): grey, grey and alpha, RGB, or RGB and alpha.
        highest: what white is.
    """

    samples: Samples
    highest: int


def deep_mode(image: Image.Image) -> str | None:
    """How the file stores its samples, if that takes more than 8 bits; Pillow's own mode does not say."""
    for codec, _, _, args in getattr(image, "tile", ()):
        stored = args if isinstance(args, tuple) else (args,)
        if codec.startswith("ppm") and stored[-1] > 255:
            return f"{stored[0]} up to {stored[-1]}"
        deep = [str(part) for part in stored if _DEEP.match(str(part))]
        if deep:
            return deep[0]
    return None


def read_deep(image: Image.Image, data: bytes) -> DeepImage | None:
    """The samples of a PNG or PPM that Pillow has opened and whose header it has checked; None for other formats.

    Raises:
        ValueError, png.Error: the file is broken.
    """
    if image.format == "PNG":
        return _read_png(data)
    if image.format == "PPM":
        return _read_ppm(image, data)
    return None


def write_deep_png(samples: Samples, file: BinaryIO) -> None:
    """Write uint16 (H, W, 1 or 3), all 16 bits used."""
    height, width, channels = samples.shape
    writer = png.Writer(width, height, greyscale=channels == 1, bitdepth=16)
    writer.write_packed(file, (row.tobytes() for row in samples.astype(">u2")))


def write_deep_ppm(samples: Samples, file: BinaryIO) -> None:
    """Write uint16 (H, W, 1 or 3), all 16 bits used."""
    height, width, channels = samples.shape
    kind = b"P5" if channels == 1 else b"P6"
    file.write(b"%s\n%d %d\n65535\n" % (kind, width, height) + samples.astype(">u2").tobytes())


def _read_png(data: bytes) -> DeepImage:
    width, height, rows, info = png.Reader(bytes=data).asDirect()
    samples = np.empty((height, width * info["planes"]), np.uint16)
    read = -1
    for read, row in enumerate(rows):
        samples[read] = np.frombuffer(row, np.uint16) if isinstance(row, memoryview) else np.asarray(row, np.uint16)
    if read + 1 != height:
        raise ValueError(f"it has {read + 1} of {height} rows")
    return DeepImage(samples.reshape(height, width, info["planes"]), (1 << info["bitdepth"]) - 1)


def _read_ppm(image: Image.Image, data: bytes) -> DeepImage:
    codec, _, offset, args = getattr(image, "tile")[0]  # noqa: B009 (Pillow has it on what it opened, and no type)
    channels = 3 if image.mode == "RGB" else 1
    highest = args[-1] if codec.startswith("ppm") else 65_535
    size = image.width * image.height * channels
    values: NDArray[Any]
    if codec == "ppm_plain":
        words = re.sub(rb"#[^\r\n]*", b"", data[offset:]).split()[:size]
        values = np.array([int(word) for word in words])
    else:
        values = np.frombuffer(data[offset : offset + 2 * size], ">u2")
    if len(values) < size or (size and int(values.max()) > highest):
        raise ValueError(f"{len(values)} samples up to {highest}, of {size}")
    return DeepImage(values.astype(np.uint16).reshape(image.height, image.width, channels), int(highest))
