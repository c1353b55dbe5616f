"""The two numerics: the same networks to rounding errors, one of them chosen for a codec, and told by its streams."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from codecspec import BuildError, compile_spec, spec_hash, specs
from codecspec.runtime.codec import Codec
from codecspec.runtime.layers.two_ways import TwoWays
from codecspec.runtime.padding import pad_to_multiple
from codecspec.runtime.streams.container import NUMERICS, Numerics, Stream
from codecspec.runtime.streams.image_streams import decode_image, encode_image
from tests.runtime.small_codecs import images, small

NAMES = specs.names()
SIZES = [(1, 128, 192), (2, 64, 64), (1, 100, 70)]


def outputs(codec: Codec, x: Tensor, numerics: Numerics) -> dict[str, Tensor]:
    """What a forward and its latent give, without gradients."""
    with torch.no_grad(), codec.computing(numerics):
        out = codec(x)
        y = codec.g_a(pad_to_multiple(x, codec.stride))
    likelihoods = {f"likelihoods of {key}": values for key, values in out["likelihoods"].items()}
    return {"x_hat": out["x_hat"], "y": y, **likelihoods}


def far(found: Tensor, expected: Tensor, tolerance: float) -> Tensor:
    """Where values differ, by more than the tolerance, or than that share of their size."""
    return (found - expected).abs() > tolerance * expected.abs().clamp(min=1)


@pytest.mark.parametrize("name", NAMES)
def test_they_differ_in_rounding_errors_alone(name: str) -> None:
    codec = small(name)
    for size in SIZES:
        x = images(*size)
        fast, reference = (outputs(codec, x, numerics) for numerics in ("fast", "reference"))
        for key, values in reference.items():
            assert not far(fast[key], values, 1e-4).any(), (size, key)
        symbols = [each["y"].round() for each in (fast, reference)]
        assert (symbols[0] == symbols[1]).double().mean() >= 0.9999
    codec.double()
    x = images(1, 64, 128).double()
    fast, reference = (outputs(codec, x, numerics) for numerics in ("fast", "reference"))
    assert all(not far(fast[key], values, 1e-11).any() for key, values in reference.items())


@pytest.mark.parametrize("name", ["tcm", "cca", "wacnn", "stf", "elic"])
def test_the_fast_way_is_another_one(name: str) -> None:
    """Otherwise the tests here compare something with itself."""
    codec = small(name)
    x = images(1, 128, 192)
    assert not torch.equal(outputs(codec, x, "fast")["x_hat"], outputs(codec, x, "reference")["x_hat"])


@pytest.mark.parametrize("name", ["tcm", "cca-aux", "wacnn", "stf", "elic"])
def test_an_evaluation_is_the_same_with_gradients_and_without(name: str) -> None:
    """So that its picture is the decoded one, bit for bit, whether or not somebody thought of `torch.no_grad`."""
    codec = small(name)
    x = images(1, 64, 64)
    for numerics in NUMERICS:
        expected = outputs(codec, x, numerics)
        codec.numerics = numerics
        out = codec(x)
        assert out["x_hat"].requires_grad
        assert torch.equal(out["x_hat"], expected["x_hat"])
        assert all(torch.equal(values, expected[f"likelihoods of {key}"]) for key, values in out["likelihoods"].items())


@pytest.mark.parametrize("name", ["tcm", "cca-aux", "bmshj2018-hyperprior"])
def test_gradients_of_an_evaluation_are_the_references(name: str) -> None:
    """Those of the picture, the parameters and none that a loss does not reach."""
    codec = small(name).double()
    x = images(1, 64, 64).double().requires_grad_()
    next(codec.g_s.parameters()).requires_grad_(False)
    found: dict[str, dict[str, Tensor | None]] = {}
    for numerics in NUMERICS:
        codec.zero_grad()
        x.grad = None
        codec.numerics = numerics
        out = codec(x)
        bits = sum(values.log2().sum() for values in out.get("aux_likelihoods", out["likelihoods"]).values())
        (out["x_hat"].square().mean() - 1e-3 * bits).backward()
        found[numerics] = {"x": x.grad, **{key: p.grad for key, p in codec.named_parameters()}}
    assert sum(gradient is not None for gradient in found["reference"].values()) > 10
    torch.testing.assert_close(found["fast"], found["reference"], rtol=1e-8, atol=1e-10)


def test_training_is_the_reference() -> None:
    codec = small("tcm").train()
    x = images(1, 64, 64)
    found = []
    for codec.numerics in NUMERICS:
        torch.manual_seed(0)
        found.append(codec(x)["x_hat"])
        assert found[-1].grad_fn is not None
    assert torch.equal(*found)


def test_changed_weights_are_seen_by_what_the_fast_way_keeps() -> None:
    """However they are changed: behind torch's back, in place, or replaced."""
    codec = small("tcm")
    x = images(1, 64, 64)
    outputs(codec, x, "fast")
    tables = [p for key, p in codec.named_parameters() if key.endswith("relative_position_bias_table")]
    for table in tables:
        table.data.add_(torch.randn_like(table, generator=None) * 0.5)
    torch.testing.assert_close(
        outputs(codec, x, "fast")["y"], outputs(codec, x, "reference")["y"], rtol=1e-4, atol=1e-4
    )
    state = copy.deepcopy(codec.state_dict())
    for key in state:
        if key.endswith("relative_position_bias_table"):
            state[key] += 1.5 * torch.randn_like(state[key])
    codec.load_state_dict(state, assign=True)
    torch.testing.assert_close(
        outputs(codec, x, "fast")["y"], outputs(codec, x, "reference")["y"], rtol=1e-4, atol=1e-4
    )


def test_what_is_kept_in_inference_mode_serves_elsewhere() -> None:
    codec = small("tcm")
    x = images(1, 64, 64)
    with torch.inference_mode():
        first = codec(x)["x_hat"].clone()
    with torch.no_grad():
        assert torch.equal(codec(x)["x_hat"], first)
    codec(x)["x_hat"].sum().backward()


@pytest.mark.parametrize("built_there", [True, False])
def test_codecs_code_in_inference_mode(built_there: bool) -> None:
    with torch.inference_mode(built_there):
        codec = compile_spec("wacnn", N=16, M=40, slices=5)
    x = images(1, 64, 64)
    with torch.inference_mode():
        data = encode_image(codec, x)
        decoded = decode_image(codec, data)
    assert encode_image(codec, x) == data  # by tables that serve here, too
    assert torch.equal(decode_image(codec, data), decoded)


def test_they_are_chosen_when_a_codec_is_built_or_later() -> None:
    params = {"N": 16, "M": 40, "slices": 5, "device": "meta"}
    assert compile_spec("wacnn", **params, numerics="reference").numerics == "reference"
    codec = compile_spec("wacnn", **params)
    assert codec.numerics == "fast"
    layers = [layer for layer in codec.modules() if isinstance(layer, TwoWays)]
    assert layers
    assert all(layer.fast for layer in layers)
    codec.numerics = "reference"
    assert not any(layer.fast for layer in layers)
    with codec.computing("fast"):
        assert all(layer.fast for layer in layers)
    assert not any(layer.fast for layer in layers)
    with pytest.raises(BuildError, match="numerics are reference, fast; found 'quick'"):
        codec.numerics = "quick"  # type: ignore[assignment]


def test_they_are_not_in_the_spec() -> None:
    pair = [compile_spec("mbt2018-mean", N=8, M=12, numerics=numerics, device="meta") for numerics in NUMERICS]
    assert pair[0].spec_hash == pair[1].spec_hash == spec_hash(pair[0].spec)


@pytest.mark.parametrize("name", ["tcm", "cca", "elic", "bmshj2018-factorized"])
@pytest.mark.parametrize("numerics", NUMERICS)
def test_a_decoder_takes_them_from_the_stream(name: str, numerics: Numerics) -> None:
    codec = small(name)
    x = images(1, 64, 128)
    with codec.computing(numerics):
        stream = Stream.from_bytes(encode_image(codec, x).to_bytes())
        with torch.no_grad():
            expected = codec(x)["x_hat"].clamp(0, 1)
    assert stream.header.numerics == numerics
    for own in NUMERICS:
        codec.numerics = own
        assert torch.equal(decode_image(codec, stream), expected)
        assert codec.numerics == own
