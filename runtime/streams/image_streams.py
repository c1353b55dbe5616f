"""Image tensors <-> streams, with a codec."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from codecspec.runtime.padding import pad_to_multiple
from codecspec.runtime.streams.chunk_coder import ChunkReader, ChunkWriter, side_bytes
from codecspec.runtime.streams.container import DIGEST_BYTES, Coder, Header, Model, Picture, Profile, Stream
from codecspec.runtime.streams.digests import tables_digest, weights_digest
from codecspec.runtime.streams.rate_report import PartRate, RateMeter
from codecspec.schema.errors import BuildError, StreamError

if TYPE_CHECKING:
    from codecspec.runtime.codec import Codec
    from codecspec.runtime.latent_codecs.symbol_coder import SymbolCoder

MAX_PIXELS = 89_478_485
"""An image of more pixels is not decoded: the bound at which Pillow takes an image for a bomb."""
SYMBOLS_PER_BYTE = 400_000
"""No coder packs more: a symbol takes 2.2e-5 bits at least, where its table leaves one count of 65536 to all others."""
STATE_BYTES = 64
"""Of a coder's states, at most."""


@torch.no_grad()
def encode_image(
    codec: Codec,
    x: Tensor,
    *,
    bit_depth: int = 8,
    profile: Profile | None = None,
    coder: Coder = "codecspec",
    rates: list[PartRate] | None = None,
) -> Stream:
    """Code one image.

    Args:
        codec: the model; its numerics become the stream's.
        x: (1, C, H, W) in [0, 1]; a grey image, of one channel, is coded by a codec of three as three equal channels.
        bit_depth: bits a sample of the image that x came from; a decoder writes as many.
        profile: `portable` where the codec can, and so by default; `exact` for streams that are decoded on the device
            and with the number of threads and the PyTorch that wrote them.
        coder: what codes the symbols; `compressai` is slower, and its chunks hold strings that CompressAI decodes.
        rates: a list to be filled with what each part costs.

    Raises:
        BuildError: x is no such image, or the codec cannot write that profile.
        StreamError: a latent is not finite or too large.
    """
    if x.ndim != 4 or len(x) != 1:
        message = f"one image, (1, C, H, W), goes into a stream; found {tuple(x.shape)}"
        raise BuildError("E-input", "x", message)
    _, channels, height, width = x.shape
    if channels == 1:
        x = x.expand(-1, codec.spec.in_channels, -1, -1)
    codec.require_image(x)
    if height * width > MAX_PIXELS:
        raise BuildError("E-input", "x", f"{width}x{height} pixels; up to {MAX_PIXELS:,} go into a stream")
    chosen = _profile(codec, profile)
    picture = Picture(height, width, channels, bit_depth)
    header = Header(model_of(codec), picture, codec.stride, coder, chosen, codec.numerics)
    writer = ChunkWriter(header)
    _code(codec, codec.g_a(pad_to_multiple(x, codec.stride)), (height, width), writer, rates)
    return Stream(header, writer.chunks())


@torch.no_grad()
def decode_image(codec: Codec, stream: Stream, *, rates: list[PartRate] | None = None) -> Tensor:
    """Decode a stream, with the numerics that it says, whichever are the codec's own.

    Args:
        codec: the model.
        stream: what `encode_image` gave.
        rates: a list to be filled with what each part costs.

    Returns:
        (1, C, H, W) in [0, 1], on the codec's device; C is 1 for a grey image.

    Raises:
        StreamError: it was written by another model, is not whole, or the scales computed here differ from the
            encoder's by more than it is prepared for.
        BuildError: the image is too large for the memory allowed.
    """
    picture = stream.header.picture
    require_model(codec, stream)
    _require_parts(codec, stream)
    codec.require_memory(1, picture.height, picture.width)
    reader = ChunkReader(stream)
    with codec.computing(stream.header.numerics):
        y_hat = _code(codec, None, (picture.height, picture.width), reader, rates)
        reader.finish()
        whole = codec.g_s(y_hat).to(y_hat.dtype)
    x_hat = whole[..., : picture.height, : picture.width].clamp_(0, 1)
    return x_hat.mean(1, keepdim=True) if picture.channels == 1 else x_hat


_KNOWN: WeakKeyDictionary[Codec, Model] = WeakKeyDictionary()


@contextmanager
def model_known(codec: Codec) -> Iterator[None]:
    """Have what streams say of a codec computed once, for many images whose coding does not change its weights.

    By itself coding and decoding each read all weights, as no count that PyTorch keeps tells of every change to them;
    here they are read at the begin and at the end.

    Raises:
        BuildError: the weights or tables are others at the end, so that streams that were written name the wrong ones.
    """
    if codec in _KNOWN:
        yield
        return
    before = _KNOWN[codec] = model_of(codec)
    try:
        yield
    finally:
        del _KNOWN[codec]
    if model_of(codec) != before:
        message = "they changed while images were coded with them as with one model"
        raise BuildError("E-input", "weights", message, "code again what was coded, with weights that stay")


def model_of(codec: Codec) -> Model:
    """What a stream says of its model."""
    if codec in _KNOWN:
        return _KNOWN[codec]
    codec.prepare_tables()
    digests = bytes.fromhex(codec.spec_hash), weights_digest(codec), tables_digest(codec)
    return Model(*(digest[:DIGEST_BYTES] for digest in digests))


def require_model(codec: Codec, stream: Stream) -> None:
    """Refuse a stream that another model wrote, before anything is run.

    Raises:
        StreamError: its spec, weights or coding tables are others; names both.
    """
    ours, theirs = model_of(codec), stream.header.model
    if theirs.spec != ours.spec:
        message = f"written by the spec {theirs.spec.hex()}, and this model is {ours.spec.hex()}"
        raise StreamError("E-stream-model", "spec", message, "decode with the model that the image was coded with")
    if theirs.weights != ours.weights:
        message = f"written with the weights {theirs.weights.hex()}, and those of this model are {ours.weights.hex()}"
        hint = "the spec is the same, the training is not: decode with the weights that the image was coded with"
        raise StreamError("E-stream-model", "weights", message, hint)
    if theirs.tables != ours.tables:
        message = f"written with the coding tables {theirs.tables.hex()}, and those here are {ours.tables.hex()}"
        hint = "tables made on two machines may differ by a count: load the model from a file that holds them (cs.save)"
        raise StreamError("E-stream-model", "coding tables", message, hint)
    channels, header = codec.spec.in_channels, stream.header
    if header.multiple != codec.stride or header.picture.channels not in (1, channels):
        message = f"{header.picture.channels} channels, sides in multiples of {header.multiple}"
        raise StreamError("E-stream", "header", f"{message}; this model has {channels} channels and {codec.stride}")


def _code(
    codec: Codec, y: Tensor | None, size: tuple[int, int], coder: SymbolCoder, rates: list[PartRate] | None
) -> Tensor:
    """Code y of an image of `size` (height, width) pixels -> y_hat; y is None when reading."""
    metered = coder if rates is None else RateMeter(coder, rates)
    y_hat: Tensor = codec.latent_codec.code(y, codec.latent_size(*size), metered)
    return y_hat


def _require_parts(codec: Codec, stream: Stream) -> None:
    """Refuse a stream whose chunks cannot hold the image that it claims, before anything is made of that size."""
    picture = stream.header.picture
    if picture.height * picture.width > MAX_PIXELS:
        message = f"an image of {picture.width}x{picture.height} pixels; up to {MAX_PIXELS:,} are decoded"
        raise StreamError("E-stream", "header", message)
    parts = codec.parts(picture.height, picture.width)
    if [part.name for part in parts] != [chunk.part for chunk in stream.chunks]:
        message = f"{len(stream.chunks)} chunks that are not the {len(parts)} parts of this model's latent"
        raise StreamError("E-stream", "chunk table", message)
    room = STATE_BYTES
    for part, chunk, label in zip(parts, stream.chunks, stream.labels(), strict=True):
        room += len(chunk.data) - side_bytes(part, stream.header.profile)
        if len(chunk.data) < side_bytes(part, stream.header.profile) or part.num_symbols > SYMBOLS_PER_BYTE * room:
            message = f"{len(chunk.data)} bytes cannot hold its {part.num_symbols:,} symbols"
            raise StreamError("E-stream", label, message)


def _profile(codec: Codec, wanted: Profile | None) -> Profile:
    if wanted is None:
        return "portable" if codec.portable else "exact"
    if wanted == "portable" and not codec.portable:
        message = "y is coded position by position, and each scale depends on the symbols before it: none can be mended"
        hint = "use the profile exact: drift is detected, and the stream decodes on the device that wrote it"
        raise BuildError("E-input", "profile", message, hint)
    return wanted
