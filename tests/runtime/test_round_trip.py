"""What is decoded is what the forward pass says: `decompress(compress(x))` equals eval `forward`, to the last bit (with
a raster-scan context, where that cannot be, what `compress` says)."""

from __future__ import annotations

import pytest
import torch

from codecspec import compile_spec, specs
from codecspec.runtime.codec import Codec
from codecspec.schema.errors import BuildError, StreamError
from tests.golden.golden_models import fill
from tests.runtime.small_codecs import SMALL, decoded_of, images, small

SIZES = [
    (1, 1), (1, 7), (5, 1), (2, 3), (15, 16), (17, 17), (31, 33), (63, 64), (64, 64), (65, 63),
    (64, 128), (67, 90), (99, 45), (100, 76), (111, 64), (127, 129), (128, 128), (130, 3), (150, 101), (200, 137),
]  # fmt: skip


@pytest.fixture(scope="module", params=sorted(SMALL))
def codec(request: pytest.FixtureRequest) -> Codec:
    return small(request.param)


def test_every_zoo_spec_is_round_tripped() -> None:
    assert set(SMALL) == set(specs.names())
    assert len(SIZES) == 20


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_decoded_equals_forward(codec: Codec, size: tuple[int, int], batch: int) -> None:
    x = images(batch, *size)
    coded = codec.compress(x)
    decoded = codec.decompress(coded["strings"], coded["shape"])["x_hat"]
    assert tuple(coded["shape"]) == size
    assert decoded.shape == x.shape
    assert torch.equal(decoded, decoded_of(codec, x))


def test_the_latents_are_worth_coding(codec: Codec) -> None:
    """Round trips of all-zero latents would prove little: symbols vary, and so does the picture."""
    x = images(1, 128, 128)
    with torch.no_grad():
        out = codec(x)
        y = codec.g_a(x)
    assert y.round().unique().numel() >= 8
    assert out["x_hat"].clamp(0, 1).unique().numel() > 1000


def test_full_size_wacnn_round_trips() -> None:
    codec = fill(compile_spec("wacnn"), 1.15)
    x = images(2, 100, 77)
    with torch.no_grad():
        x_hat = codec(x)["x_hat"]
    coded = codec.compress(x)
    assert torch.equal(codec.decompress(**coded)["x_hat"], x_hat.clamp(0, 1))


def test_images_of_a_batch_decode_alone(codec: Codec) -> None:
    """Each image has strings of its own."""
    x = images(3, 64, 64)
    coded = codec.compress(x)
    assert all(len(part) == 3 for part in coded["strings"])
    alone = codec.compress(x[1:2])
    assert [part[1] for part in coded["strings"]] == [part[0] for part in alone["strings"]]


def widen_scales(codec: Codec) -> None:
    """Formula weights give scales that do not fit their latents; a bias makes them fit."""
    y = codec.latent_codec.y
    if hasattr(y, "channel_context"):
        for head in y.channel_context.values():
            head.scale_cc[-1].bias.data += 2.0
    else:
        codec.latent_codec.h_s[-1].bias.data[: codec.spec.g_a[-1].out] += 4.0


@pytest.mark.parametrize("name", ["mbt2018-mean", "wacnn"])
def test_rate_of_ys_strings_is_that_of_its_likelihoods(name: str) -> None:
    codec = small(name)
    widen_scales(codec)
    x = images(1, 256, 256)
    with torch.no_grad():
        bits = float(-codec(x)["likelihoods"]["y"].log2().sum())
    *y_strings, _ = codec.compress(x)["strings"]
    assert 8 * sum(len(part[0]) for part in y_strings) == pytest.approx(bits, rel=0.06)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.rand(3, 64, 64), r"\(N, 3, H, W\)"),
        (torch.rand(1, 1, 64, 64), r"\(N, 3, H, W\)"),
        (torch.rand(1, 3, 0, 64), r"sides 1 to"),
        (torch.zeros(1, 3, 64, 64, dtype=torch.uint8), "floats in"),
    ],
)
def test_other_inputs_are_refused(codec: Codec, x: torch.Tensor, message: str) -> None:
    for method in (codec.forward, codec.compress):
        with pytest.raises(BuildError, match=message):
            method(x)


@pytest.mark.parametrize("shape", [(0, 4), (4, 70000), (4,), (-1, 2)])
def test_other_shapes_are_refused(codec: Codec, shape: tuple[int, ...]) -> None:
    strings = codec.compress(images(1, 8, 8))["strings"]
    with pytest.raises(StreamError, match=r"an image is \(H, W\)"):
        codec.decompress(strings, shape)


def test_strings_of_another_count_are_refused(codec: Codec) -> None:
    strings = codec.compress(images(2, 8, 8))["strings"]
    if len(strings) > 1:
        with pytest.raises(StreamError, match="one string per image"):
            codec.decompress([strings[0][:1], *strings[1:]], (8, 8))
    with pytest.raises(StreamError, match="parts"):
        codec.decompress([*strings, strings[0]], (8, 8))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e12])
def test_latents_that_no_integer_stands_for_are_refused(value: float) -> None:
    codec = small("wacnn")
    codec.latent_codec.y.channel_context["y2"].mean_cc[-1].bias.data[0] = value
    with pytest.raises(StreamError, match="cannot be coded") as caught:
        codec.compress(images(1, 64, 64))
    assert caught.value.code == "E-latent"
    assert caught.value.where == "slice 2 of y"


def test_a_hyper_latent_that_is_not_finite_is_named() -> None:
    codec = small("mbt2018-mean")
    codec.latent_codec.h_a[-1].bias.data[0] = float("nan")
    with pytest.raises(StreamError, match="cannot be coded") as caught:
        codec.compress(images(1, 64, 64))
    assert caught.value.where == "z"
