"""Files are as large as their likelihoods say, and where they are not, it is said why."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from codecspec import compile_spec, specs
from codecspec.runtime.padding import pad_to_multiple
from codecspec.runtime.streams import rate_report
from codecspec.runtime.streams.container import PROFILES, Stream
from codecspec.runtime.streams.image_streams import decode_image, encode_image
from codecspec.runtime.streams.rate_report import PartRate, RateMeter, rates_described
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


def described(monkeypatch: pytest.MonkeyPatch, rates: list[PartRate], sizes: list[int], sides: list[int]) -> list[str]:
    """The report of a stream of such chunks, with 40 bytes of header and table."""
    labels = ["z", "y", "w", "v"][: len(rates)]
    chunks = [SimpleNamespace(data=bytes(size)) for size in sizes]
    header = SimpleNamespace(profile="portable")
    stream: Any = SimpleNamespace(labels=lambda: labels, chunks=chunks, overhead_bytes=40, header=header)
    given = iter(sides)
    monkeypatch.setattr(rate_report, "side_bytes", lambda part, profile: next(given))
    return rates_described(stream, rates, [None] * len(rates))  # type: ignore[list-item]


def test_a_report_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = [PartRate(1_000, 8_000.0, 8_080.0, 3, 100.0), PartRate(20, 160.0, 240.0, 1, 9.0)]
    lines = [" ".join(line.split()) for line in described(monkeypatch, rates, [1_030, 25], [10, 2])]
    assert lines == [
        "part symbols likelihoods tables escapes coded checks",
        "z 1,000 1,000 B 1,010 B 3 1,020 B 10 B",
        "y 20 20 B 30 B 1 23 B 2 B",
        "1,095 bytes for likelihoods of 1,020 (+7.4 %): coding tables +20 B, the values of 4 escapes, and the coder "
        "+3 B, syndromes and checks +12 B, header and chunk table +40 B",
    ]
    less = [PartRate(1_000, 8_000.0, 7_200.0, 0, 0.0)]
    [*_, total] = described(monkeypatch, less, [890], [0])
    assert total.strip() == (
        "930 bytes for likelihoods of 1,000 (-7.0 %): coding tables -100 B, the coder -10 B, syndromes and checks "
        "+0 B, header and chunk table +40 B"
    )


@pytest.mark.parametrize(
    ("likelihood_bits", "table_bits", "stale"),
    [(1e6, 1_050_512, False), (1e6, 1_050_513, True), (0.0, 512, False), (0.0, 513, True), (1e6, 1e6, False)],
)
def test_tables_are_stale_from_5_percent_and_64_bytes(
    monkeypatch: pytest.MonkeyPatch, likelihood_bits: float, table_bits: float, stale: bool
) -> None:
    rates = [PartRate(1, likelihood_bits, table_bits, 0, 0.0)]
    assert ("not those of its density" in described(monkeypatch, rates, [1], [0])[-1]) is stale
    lines = described(monkeypatch, rates * 4, [1] * 4, [0] * 4)
    assert ("the coding tables of z, y, w and more are not" in lines[-1]) is stale


def test_bits_of_tables_and_of_escapes() -> None:
    """Of a table for 0, 1 and 2 with counts of 16,384, 32,768 and 8,192 of 65,536, and an escape with the rest."""
    codec = small("mbt2018-mean")
    model = codec.latent_codec.z.entropy_bottleneck
    codec.prepare_tables()
    state = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    channels = model.channels
    cdf = torch.tensor([0, 16_384, 49_152, 57_344, 65_536], dtype=torch.int32)
    state |= {"_offset": torch.zeros(channels).int(), "_cdf_length": torch.full((channels,), 5).int()}
    state["_quantized_cdf"] = cdf.expand(channels, -1).contiguous()
    for name in ("_offset", "_cdf_length", "_quantized_cdf"):
        model.register_buffer(name, state[name])
    symbols = torch.tensor([[0, 1, 2, 3, -1, 9, 1]]).expand(channels, -1).int().numpy()
    rates: list[PartRate] = []
    meter = RateMeter(None, rates)  # type: ignore[arg-type]
    rows = torch.arange(channels)[:, None].expand(-1, 7).flatten().int().numpy()
    likelihoods = torch.tensor([0.5, 0.25, 0.125, 2**-10, 2**-20, 0.0, 1.0]).expand(channels, -1).flatten()
    meter._take_down(model, symbols.reshape(-1), rows, likelihoods)
    [rate] = rates
    assert (rate.num_symbols, rate.num_escapes) == (7 * channels, 3 * channels)
    assert rate.table_bits == pytest.approx(channels * (2 + 1 + 3 + 3 + 3 + 3 + 1))
    least = math.log2(1e9)
    assert rate.likelihood_bits == pytest.approx(channels * (1 + 2 + 3 + 10 + 20 + least))
    assert rate.escape_bits == pytest.approx(channels * (10 + 20 + least))


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
