"""Images through streams: what is decoded is what forward says, by every model, coder and profile; what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import codecspec as cs
from codecspec.runtime.codec import Codec
from codecspec.runtime.streams import image_streams
from codecspec.runtime.streams.container import CODERS, Chunk, Coder, Picture, Profile, Stream
from codecspec.runtime.streams.image_streams import MAX_PIXELS, decode_image, encode_image
from codecspec.schema.errors import BuildError, StreamError
from tests.runtime.small_codecs import SMALL, decoded_of, images, small
from tests.runtime.streams.instrumented import drift, recorded_encode, with_sane_scales


@pytest.fixture(scope="module", params=sorted(SMALL))
def codec(request: pytest.FixtureRequest) -> Codec:
    return small(request.param)


@pytest.mark.parametrize("size", [(1, 1), (17, 33), (70, 53), (64, 128)], ids=str)
@pytest.mark.parametrize("coder", CODERS)
def test_decoded_is_what_forward_says(codec: Codec, coder: Coder, size: tuple[int, int]) -> None:
    x = images(1, *size)
    data = cs.encode(codec, x, coder=coder)
    assert torch.equal(cs.decode(codec, data), decoded_of(codec, x))
    stream = Stream.from_bytes(data)
    assert stream.header.profile == ("portable" if codec.portable else "exact")
    assert stream.overhead_bytes <= 64 + 8 * len(stream.chunks)
    assert [chunk.part for chunk in stream.chunks] == [part.name for part in codec.parts(*size)]


@pytest.mark.parametrize("coder", CODERS)
def test_exact_streams_decode_too_and_are_smaller(codec: Codec, coder: Coder) -> None:
    x = images(1, 40, 90)
    exact = encode_image(codec, x, profile="exact", coder=coder)
    assert torch.equal(decode_image(codec, exact), decoded_of(codec, x))
    whole = len(encode_image(codec, x, coder=coder).to_bytes())
    scales_can_drift = codec.portable and any(part.under_scales for part in codec.parts(40, 90))
    assert (len(exact.to_bytes()) < whole) == scales_can_drift


def test_both_coders_code_the_same_symbols(codec: Codec) -> None:
    x = images(1, 48, 48)
    (_, ours), (_, theirs) = (recorded_encode(codec, x, coder=coder) for coder in CODERS)
    assert len(ours) == len(theirs)
    assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_chunks_of_compressais_coder_are_the_strings_of_compress(codec: Codec) -> None:
    x = images(1, 64, 64)
    stream = encode_image(codec, x, coder="compressai", profile="exact")
    *ys, z = (part[0] for part in codec.compress(x)["strings"])
    assert [chunk.data[4 * bool(chunk.data) :] for chunk in stream.chunks] == [z, *ys]


def test_a_position_by_position_model_is_exact_only() -> None:
    for name in ("mbt2018", "cheng2020-anchor", "cheng2020-attn"):
        codec = small(name)
        assert not codec.portable
        with pytest.raises(BuildError, match="position by position") as caught:
            encode_image(codec, images(1, 8, 8), profile="portable")
        assert (caught.value.code, caught.value.where) == ("E-input", "profile")


@pytest.mark.parametrize("name", ["mbt2018", "cheng2020-anchor"])
@pytest.mark.parametrize("coder", CODERS)
def test_drift_of_position_by_position_models_is_detected(
    monkeypatch: pytest.MonkeyPatch, name: str, coder: Coder
) -> None:
    codec = with_sane_scales(small(name))
    stream = encode_image(codec, images(1, 64, 64), coder=coder)
    scales_means = codec.latent_codec.y._scales_means

    def drifting(*args: Any) -> Any:
        scales, means = scales_means(*args)
        return scales * 1.05, means

    monkeypatch.setattr(codec.latent_codec.y, "_scales_means", drifting)
    with pytest.raises(StreamError, match="E-stream-drift at y"):
        decode_image(codec, stream)


@pytest.mark.parametrize("name", ["mbt2018-mean", "wacnn", "elic", "stf"])
def test_portable_streams_survive_drift_and_exact_ones_notice_it(name: str) -> None:
    coder: Coder = "compressai" if name in ("mbt2018-mean", "elic") else "codecspec"
    codec = with_sane_scales(small(name))
    x = images(1, 192, 256)
    with drift(3e-3), pytest.raises(StreamError) as caught:
        decode_image(codec, encode_image(codec, x, profile="exact", coder=coder))
    assert caught.value.code == "E-stream-drift"
    assert "y" in caught.value.where
    with drift(1e-5):
        close = decode_image(codec, encode_image(codec, x, coder=coder))
    assert float((close - decoded_of(codec, x)).abs().max()) < 1e-2


@pytest.mark.parametrize("rms", [0.03, 1.0])
@pytest.mark.parametrize("name", ["bmshj2018-hyperprior", "elic-chandelier", "tcm", "cca"])
def test_drift_beyond_repair_names_its_slice(name: str, rms: float) -> None:
    codec = with_sane_scales(small(name))
    stream = encode_image(codec, images(1, 128, 128))
    with drift(rms), pytest.raises(StreamError, match="differ from the encoder's") as caught:
        decode_image(codec, stream)
    assert caught.value.code == "E-stream-drift"
    assert caught.value.where.startswith(("slice 0 of y", "y"))


def test_other_models_are_refused_by_name_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    codec = small("wacnn")
    stream = encode_image(codec, images(1, 32, 32))

    def never(*_: Any, **__: Any) -> None:
        pytest.fail("something was run")

    for place in ("latent_codec", "g_s"):
        monkeypatch.setattr(type(getattr(codec, place)), "forward", never)
    monkeypatch.setattr(image_streams, "ChunkReader", never)
    other = small("mbt2018-mean")
    message = f"written by the spec {codec.spec_hash[:16]}, and this model is {other.spec_hash[:16]}"
    refused(other, stream, "E-stream-model", "spec", message)
    codec.latent_codec.y["y1"].lrp_transform[0].bias.data[0] += 1e-3
    refused(codec, stream, "E-stream-model", "weights", "written with the weights")
    tables = small("wacnn")
    tables.prepare_tables()
    state = {key: tensor.clone() for key, tensor in tables.state_dict().items()}
    cdf = state["latent_codec.z.entropy_bottleneck._quantized_cdf"]
    cdf[0, int((cdf[0, 1:] - cdf[0, :-1]).argmax())] += 1 if cdf[0, 1] > 1 else 0
    wide = int((cdf[0, 1:] - cdf[0, :-1]).argmax())
    cdf[0, wide + 1] -= 1
    tables.load_state_dict(state)
    refused(tables, stream, "E-stream-model", "coding tables", "written with the coding tables")


def with_header(stream: Stream, **changes: Any) -> Stream:
    return replace(stream, header=replace(stream.header, **changes))


def refused(codec: Codec, stream: Stream, code: str, where: str, message: str) -> None:
    with pytest.raises(StreamError, match=message) as caught:
        decode_image(codec, stream)
    assert (caught.value.code, caught.value.where) == (code, where)


def test_headers_that_do_not_fit_the_model() -> None:
    codec = small("mbt2018-mean")
    stream = encode_image(codec, images(1, 64, 64))
    refused(
        codec, with_header(stream, multiple=32), "E-stream", "header", "sides in multiples of 32; this model has 3 ch"
    )
    for channels in (2, 4):
        picture = replace(stream.header.picture, channels=channels)
        refused(codec, with_header(stream, picture=picture), "E-stream", "header", f"{channels} channels")


def test_chunks_that_are_not_the_models_parts() -> None:
    codec = small("elic")
    stream = encode_image(codec, images(1, 64, 64))
    for chunks in (stream.chunks[:-1], stream.chunks[::-1], (*stream.chunks, stream.chunks[0]), stream.chunks[1:]):
        refused(codec, replace(stream, chunks=chunks), "E-stream", "chunk table", "are not the 9 parts of this model")


@pytest.mark.parametrize(("height", "width"), [(65_535, 65_535), (65_535, 2_000)])
def test_images_larger_than_are_decoded(height: int, width: int) -> None:
    codec = small("mbt2018-mean")
    stream = with_header(encode_image(codec, images(1, 8, 8)), picture=Picture(height, width))
    refused(codec, stream, "E-stream", "header", f"an image of {width}x{height} pixels; up to 89,478,485 are decoded")


@pytest.mark.parametrize("profile", ["portable", "exact"])
def test_sizes_that_the_bytes_cannot_justify(profile: Profile) -> None:
    """So a hundred bytes do not make anyone allocate an image of 80 megapixels."""
    codec = small("mbt2018-mean")
    stream = with_header(encode_image(codec, images(1, 8, 8), profile=profile), picture=Picture(8000, 10_000))
    assert MAX_PIXELS > 8000 * 10_000
    if profile == "portable":
        refused(codec, stream, "E-stream", "y", "bytes cannot hold its 5,652,000 symbols")
    empty = tuple(Chunk(chunk.part, b"") for chunk in stream.chunks)
    refused(codec, replace(stream, chunks=empty), "E-stream", "z", "0 bytes cannot hold its")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("part", ["scale_cc", "mean_cc"])
def test_what_is_not_finite_names_its_slice(value: float, part: str) -> None:
    codec = small("wacnn")
    getattr(codec.latent_codec.y.channel_context["y2"], part)[-1].bias.data[0] = value
    with pytest.raises(StreamError, match="must be finite") as caught:
        encode_image(codec, images(1, 64, 64))
    assert (caught.value.code, caught.value.where) == ("E-latent", "slice 2 of y")


@pytest.mark.parametrize("part", ["scale_cc", "mean_cc"])
def test_what_is_not_finite_in_a_decoder_is_refused_too(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    codec = small("wacnn")
    stream = encode_image(codec, images(1, 64, 64))
    monkeypatch.setattr(image_streams, "require_model", lambda *_: None)
    getattr(codec.latent_codec.y.channel_context["y1"], part)[-1].bias.data[0] = float("nan")
    with pytest.raises(StreamError, match="must be finite") as caught:
        decode_image(codec, stream)
    assert caught.value.where == "slice 1 of y"


def test_one_image_goes_into_a_stream() -> None:
    codec = small("mbt2018-mean")
    for x in (images(2, 8, 8), images(1, 8, 8)[0], images(1, 8, 8)[:, :2]):
        with pytest.raises(BuildError, match=r"\(1, C, H, W\)|\(N, 3, H, W\)"):
            encode_image(codec, x)
    assert torch.equal(cs.decode(codec, cs.encode(codec, images(1, 8, 8)[0])), decoded_of(codec, images(1, 8, 8)))


def test_a_grey_image_is_coded_as_three_and_decoded_as_one() -> None:
    codec = small("mbt2018-mean")
    x = images(1, 40, 60)[:, :1]
    data = cs.encode(codec, x)
    assert Stream.from_bytes(data).header.picture == Picture(40, 60, channels=1)
    expected = decoded_of(codec, x.expand(-1, 3, -1, -1)).mean(1, keepdim=True)
    assert torch.equal(cs.decode(codec, data), expected)


def test_files_say_their_depth_and_colours(tmp_path: Path) -> None:
    codec = small("mbt2018-mean")
    samples = np.random.default_rng(0).integers(0, 65_536, (9, 7), dtype=np.uint16)
    Image.fromarray(samples).save(tmp_path / "deep.png")
    picture = Stream.from_bytes(cs.encode(codec, tmp_path / "deep.png")).header.picture
    assert picture == Picture(9, 7, channels=1, bit_depth=16)
    Image.fromarray(samples.astype(np.uint8)).convert("RGB").save(tmp_path / "plain.png")
    assert Stream.from_bytes(cs.encode(codec, str(tmp_path / "plain.png"))).header.picture == Picture(9, 7)


def test_a_codec_in_another_precision_decodes_them_too() -> None:
    """Its scales differ as another machine's do; the weights are the same numbers."""
    codec = with_sane_scales(small("wacnn"))
    data = cs.encode(codec, images(1, 96, 96))
    image = cs.decode(codec, data)
    doubled = cs.decode(codec.double(), data)
    assert doubled.dtype == torch.float64
    assert float((doubled - image).abs().max()) < 1e-3


def test_an_encoder_that_was_trained_further_writes_for_the_same_decoder() -> None:
    codec, tuned = small("wacnn"), small("wacnn")
    tuned.g_a[0].weight.data *= 1.1
    data = cs.encode(tuned, images(1, 64, 64))
    assert torch.equal(cs.decode(codec, data), cs.decode(tuned, data))
