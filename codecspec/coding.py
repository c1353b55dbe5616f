"""Images to bytes and back, in one call each."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

    from codecspec.runtime.codec import Codec


def encode(
    net: Codec,
    image: Tensor | str | os.PathLike[str],
    *,
    profile: Literal["portable", "exact"] | None = None,
    coder: Literal["codecspec", "compressai"] = "codecspec",
    max_memory: int | str | None = None,
) -> bytes:
    """Code an image into a stream: everything that decoding needs but the model.

    Args:
        net: the model.
        image: an image file, or a tensor (1, C, H, W) or (C, H, W) of floats in [0, 1].
        profile: `portable` streams decode on other devices or numbers of threads, `exact` ones only where they were
            written. Default: portable if the model allows it.
        coder: the entropy coder; `compressai` is slower, and gives CompressAI's strings.
        max_memory: memory limit of this process, in bytes or as `3GB`; g_a runs in tiles if needed. The stream
            decodes under any limit.

    Raises:
        BuildError: the tensor is no image for this model, the model cannot write that profile, or `max_memory` is too
            little for the image.
        StreamError: the file is no image, or a latent is not finite.
        UsageError: `max_memory` is no amount of memory.
    """
    from codecspec.runtime.image_files import read_image_file
    from codecspec.runtime.streams.image_streams import encode_image

    if isinstance(image, (str, os.PathLike)):
        file = read_image_file(Path(image))
        x = file.x_for(net.spec.in_channels, str(image))
        bit_depth = file.bit_depth
    else:
        x, bit_depth = image[None] if image.ndim == 3 else image, 8
    first = next(net.parameters())
    x = x.to(first.device, first.dtype)
    with net.limited(max_memory):
        stream = encode_image(net, x, bit_depth=bit_depth, profile=profile, coder=coder)
    return stream.to_bytes()


def decode(net: Codec, data: bytes, *, max_memory: int | str | None = None) -> Tensor:
    """The image of a stream: (1, C, H, W) in [0, 1], on the model's device; C is 1 for a grey image.

    Args:
        net: the model that the image was coded with.
        data: what `encode` returned.
        max_memory: as in `encode`, for g_s.

    Raises:
        StreamError: the stream is damaged, was written by another model, or cannot be decoded on this machine.
        BuildError: `max_memory` is too little for the image.
        UsageError: `max_memory` is no amount of memory.
    """
    from codecspec.runtime.streams.container import Stream
    from codecspec.runtime.streams.image_streams import decode_image

    with net.limited(max_memory):
        return decode_image(net, Stream.from_bytes(data))
