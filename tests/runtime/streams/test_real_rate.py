"""Files are as large as their likelihoods say, and where they are not, it is said why."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from codecspec import compile_spec, specs
from codecspec.runtime.padding import pad_to_multiple
from codecspec.runtime.streams.container import PROFILES, Stream
from codecspec.runtime.streams.image_streams import decode_image, encode_image
from codecspec.runtime.streams.rate_report import PartRate, rates_described
from tests.runtime.small_codecs import SMALL, images, small
from tests.runtime.streams.instrumented import DrawingWriter, recorded_encode, with_sane_scales

SIDE = 512
LARGER = {"elic": 2048, "elic-chandelier": 2048}
"""Their small codecs give eight chunks of a few hundred bytes, and a check and a syndrome in each."""


def test_every_zoo_spec_is_measured() -> None:
    assert set(SMALL) == set(specs.names())


@pytest.mark.parametrize("name", sorted(SMALL))
def test_a_file_less_its_header_is_within_1_percent_of_its_likelihoods(name: str) -> None:
    """Syndromes and checks count as the file's. Latents are drawn from their densities, as training makes them."""
    codec = with_sane_scales(small(name))
    for profile in PROFILES if codec.portable else ("exact",):
        rates: list[PartRate] = []
        x = images(1, LARGER.get(name, SIDE), SIDE)
        stream, _ = recorded_encode(codec, x, DrawingWriter, profile=profile, rates=rates)
        size = len(stream.to_bytes()) - stream.overhead_bytes
        assert size * 8 == pytest.approx(sum(rate.likelihood_bits for rate in rates), rel=0.01), profile
        assert decode_image(codec, stream).isfinite().all()


@pytest.mark.parametrize("name", sorted(SMALL))
def test_what_the_report_calls_likelihoods_are_those_of_forward(name: str) -> None:
    codec = small(name)
    x = images(1, 128, 128)
    rates: list[PartRate] = []
    encode_image(codec, x, rates=rates)
    with torch.no_grad():
        y = codec.g_a(pad_to_multiple(x, codec.stride))
        out = codec.latent_codec(y)["likelihoods"]
    if not codec.portable:  # `forward` rounds y, and the coder y - mean
        out, rates = {"z": out["z"]}, rates[:1]
    bits = sum(float(-likelihoods.double().log2().sum()) for likelihoods in out.values())
    assert sum(rate.likelihood_bits for rate in rates) == pytest.approx(bits, rel=1e-4)


def report(codec: Any, x: torch.Tensor, **options: Any) -> tuple[Stream, list[PartRate], str]:
    rates: list[PartRate] = []
    stream = encode_image(codec, x, rates=rates, **options)
    return stream, rates, "\n".join(rates_described(stream, rates, codec.parts(*x.shape[-2:])))


def test_the_bytes_of_a_report_add_up() -> None:
    codec = small("elic")
    stream, rates, text = report(codec, images(1, 100, 100))
    *rows, total = text.splitlines()[1:]
    assert [row.split("  ")[1] for row in rows] == stream.labels()
    coded_and_checks = [int(number.replace(",", "")) for row in rows for number in row.split()[-4::2]]
    assert sum(coded_and_checks) + stream.overhead_bytes == len(stream.to_bytes())
    assert total.split()[0] == f"{len(stream.to_bytes()):,}"
    assert [rate.num_symbols for rate in rates] == [part.num_symbols for part in codec.parts(100, 100)]


def test_escapes_are_counted() -> None:
    codec = small("mbt2018-mean")
    codec.latent_codec.h_s[-1].bias.data[: codec.y_channels] = -5  # scales at their bound, whatever y is
    codec.g_a[-1].weight.data *= 20
    _, rates, text = report(codec, images(1, 128, 128))
    assert rates[1].num_escapes > 100
    assert f"the values of {sum(rate.num_escapes for rate in rates):,} escapes" in text


def test_stale_tables_are_named() -> None:
    """Tables that came with a checkpoint are part of it, and are not made again."""
    codec = compile_spec("bmshj2018-hyperprior", **SMALL["bmshj2018-hyperprior"])
    codec.prepare_tables()
    state = {key: tensor.clone() for key, tensor in codec.state_dict().items()}
    fresh = report(codec, images(1, 256, 256))[2]
    assert "not those of its density" not in fresh
    cdf = state["latent_codec.z.entropy_bottleneck._quantized_cdf"]
    lengths = state["latent_codec.z.entropy_bottleneck._cdf_length"]
    for row, length in zip(cdf, lengths, strict=True):
        row[1:length] = 65_536 - torch.arange(length - 2, -1, -1)  # all that is likely in the first symbol
    codec.load_state_dict(state)
    assert "the coding tables of z are not those of its density" in report(codec, images(1, 256, 256))[2]


def test_a_report_of_decoding_is_that_of_coding() -> None:
    for name in ("wacnn", "cheng2020-anchor"):
        codec = small(name)
        stream, rates, _ = report(codec, images(1, 64, 64))
        decoded: list[PartRate] = []
        decode_image(codec, stream, rates=decoded)
        assert decoded == rates
