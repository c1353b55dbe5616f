"""y by itself: what coding it says, saves and refuses. (Its numbers are CompressAI's: test_compressai_identity.)"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import codecspec as cs
from tests.golden.golden_models import fill
from tests.runtime.small_codecs import images, small

NAME = "bmshj2018-factorized"
STE = "codecspec: 1\nextends: bmshj2018-factorized\nname: ste\nlatent_codec: {y: {quantizer: ste}}\n"


def test_one_string_an_image_and_one_latent() -> None:
    codec = small(NAME)
    x = images(2, 40, 56)
    out = codec.compress(x)
    assert [len(part) for part in out["strings"]] == [2]
    with torch.no_grad():
        assert list(codec(x)["likelihoods"]) == ["y"]


def test_rate_of_the_strings_is_that_of_the_likelihoods() -> None:
    codec = cs.compile_spec(NAME, N=12, M=18)
    fill(codec.g_a, 1.6)
    codec.update(update_quantiles=True)  # a table of the whole density, as training comes to it
    x = images(1, 256, 256)
    with torch.no_grad():
        bits = float(-codec(x)["likelihoods"]["y"].log2().sum())
    assert 8 * len(codec.compress(x)["strings"][0][0]) == pytest.approx(bits, rel=0.05)


def test_a_saved_model_codes_alike(tmp_path: Path) -> None:
    codec = small(NAME)
    cs.save(codec, tmp_path / "factorized.safetensors")
    loaded = cs.load(tmp_path / "factorized.safetensors")
    x = images(1, 33, 70)
    assert loaded.spec_hash == codec.spec_hash
    assert loaded.compress(x)["strings"] == codec.compress(x)["strings"]
    assert not loaded.prepare_tables()


def test_tables_follow_the_weights() -> None:
    codec = small(NAME)
    x = images(1, 64, 64)
    before = codec.compress(x)["strings"]
    codec.latent_codec.y.entropy_bottleneck.quantiles.data[:, 0, 1] += 0.3
    out = codec.compress(x)
    assert out["strings"] != before
    with torch.no_grad():
        assert torch.equal(codec.decompress(**out)["x_hat"], codec(x)["x_hat"].clamp(0, 1))


def test_y_hat_in_training_is_as_the_spec_says() -> None:
    plain, ste = small(NAME), cs.compile_spec(cs.parse_spec(STE), N=12, M=18)
    ste.load_state_dict(plain.state_dict())
    assert ste.spec_hash == plain.spec_hash
    x = images(1, 64, 64)
    with torch.no_grad():
        expected = plain(x)["x_hat"]
        assert not torch.equal(plain.train()(x)["x_hat"], expected)
        assert torch.allclose(ste.train()(x)["x_hat"], expected, atol=1e-6)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e12])
def test_a_y_that_no_integer_stands_for_is_refused(value: float) -> None:
    codec = small(NAME)
    codec.g_a[-1].bias.data[0] = value
    with pytest.raises(cs.StreamError, match="cannot be coded") as caught:
        codec.compress(images(1, 64, 64))
    assert (caught.value.code, caught.value.where) == ("E-latent", "y")


def test_strings_of_another_codec_are_refused() -> None:
    codec = small(NAME)
    strings = codec.compress(images(1, 64, 64))["strings"]
    with pytest.raises(cs.StreamError, match="2 parts of strings, and this model codes in 1") as caught:
        codec.decompress([*strings, strings[0]], (64, 64))
    assert caught.value.where == "strings"


def test_its_density_is_in_the_part_that_predicts_y() -> None:
    plan = cs.lower(cs.load_spec(NAME))
    assert plan.parameters_by_part()["context"] == 192 * (3 + 9 + 9 + 9 + 3 + 13 + 12 + 3)
    assert plan.parameters_by_part()["hyper"] == plan.macs_by_part()["context"] == 0
    assert plan.stride == 16
