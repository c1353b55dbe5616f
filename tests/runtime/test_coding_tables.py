"""Coding tables are always ready: before and after training, loading, saving; nobody calls update()."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import codecspec as cs
from codecspec.runtime.codec import Codec
from codecspec.runtime.coding_tables import entropy_models, table_names
from tests.runtime.small_codecs import SMALL, decoded_of, images, small


def round_trips(codec: Codec) -> bool:
    x = images(1, 70, 50)
    return torch.equal(codec.decompress(**codec.compress(x))["x_hat"], decoded_of(codec, x))


def tables(codec: Codec) -> list[torch.Tensor]:
    return [getattr(model, name).clone() for model in entropy_models(codec) for name in table_names(model)]


@pytest.mark.parametrize("name", sorted(SMALL))
@pytest.mark.parametrize("filled", [True, False], ids=["saved filled", "saved empty"])
@pytest.mark.parametrize("used", [True, False], ids=["into a used codec", "into a fresh codec"])
def test_state_dicts_load_in_every_combination(name: str, filled: bool, used: bool) -> None:
    source, target = small(name), cs.compile_spec(name, **SMALL[name])
    if filled:
        source.prepare_tables()
    if used:
        target.prepare_tables()
    target.load_state_dict(source.state_dict())
    assert round_trips(target)
    assert target.compress(images(1, 40, 40))["strings"] == source.compress(images(1, 40, 40))["strings"]


def test_stale_tables_are_made_again() -> None:
    codec = small("mbt2018-mean")
    assert codec.prepare_tables()
    assert not codec.prepare_tables()
    before = tables(codec)
    with torch.no_grad():
        codec.latent_codec.z.entropy_bottleneck.biases[0].add_(0.5)
    assert codec.prepare_tables()
    assert any(a.shape != b.shape or not torch.equal(a, b) for a, b in zip(before, tables(codec), strict=True))
    assert round_trips(codec)


def test_an_update_behind_autograds_back_is_noticed() -> None:
    """`.data` writes do not count versions; the tables are compared by value."""
    codec = small("mbt2018-mean")
    codec.prepare_tables()
    codec.latent_codec.z.entropy_bottleneck.matrices[1].data.mul_(1.1)
    assert codec.prepare_tables()


def test_compressais_update_still_works() -> None:
    codec = small("wacnn")
    assert codec.update()
    assert round_trips(codec)
    assert codec.update(force=True)
    assert round_trips(codec)


def test_loaded_tables_are_taken_as_they_are() -> None:
    """They are part of the model: another machine's may differ by a count, and its streams need them."""
    source = small("wacnn")
    source.prepare_tables()
    state = source.state_dict()
    key = "latent_codec.z.entropy_bottleneck._quantized_cdf"
    state[key] = state[key].clone()
    wide = int((state[key][0, 1:] - state[key][0, :-1]).argmax())
    state[key][0, wide] += 1
    target = cs.compile_spec("wacnn", **SMALL["wacnn"])
    target.load_state_dict(state)
    assert not target.prepare_tables()
    assert torch.equal(target.state_dict()[key], state[key])


def test_a_gaussians_tables_are_made_once_and_equal_compressais() -> None:
    codec = small("wacnn")
    codec.prepare_tables()
    ours = tables(codec)
    codec.update(force=True)
    assert all(torch.equal(a, b) for a, b in zip(ours, tables(codec), strict=True))


def test_failing_to_load_names_everything_and_loads_nothing() -> None:
    codec = small("wacnn")
    codec.prepare_tables()
    before = {key: tensor.clone() for key, tensor in codec.state_dict().items()}
    broken = {key: torch.zeros_like(tensor) for key, tensor in before.items()}
    del broken["g_a.0.weight"]
    broken["g_a.0.bias"] = torch.zeros(3)
    broken["g_a.99.bias"] = torch.zeros(3)
    with pytest.raises(cs.CheckpointError) as caught:
        codec.load_state_dict(broken)
    said = {problem.where: problem.message for problem in caught.value.problems}
    assert said["g_a.0.weight"].startswith("missing")
    assert said["g_a.0.bias"] == "of shape [3], and the model needs [16]"
    assert said["g_a.99.bias"].startswith("left over")
    assert all(torch.equal(tensor, before[key]) for key, tensor in codec.state_dict().items())
    assert round_trips(codec)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("_offset", lambda t: t[:-1], "rows each are needed"),
        ("_cdf_length", lambda t: t * 0 + 10**6, "columns"),
        ("_cdf_length", lambda t: t * 0, "columns"),
        ("_quantized_cdf", lambda t: t * 0, "does not rise"),
        ("_quantized_cdf", lambda t: t.flip(1), "does not rise"),
        ("_quantized_cdf", lambda t: t // 2, "does not rise"),
    ],
)
@pytest.mark.parametrize("model", ["z.entropy_bottleneck", "y.latent_codec.y1.gaussian_conditional"])
def test_tables_that_would_hang_the_coder_are_refused(model: str, name: str, change: Any, message: str) -> None:
    source = small("wacnn")
    source.prepare_tables()
    state = source.state_dict()
    state[f"latent_codec.{model}.{name}"] = change(state[f"latent_codec.{model}.{name}"])
    with pytest.raises(cs.CheckpointError, match=message):
        cs.compile_spec("wacnn", **SMALL["wacnn"]).load_state_dict(state)


def test_a_saved_codec_needs_nothing_beside_it(tmp_path: Path) -> None:
    codec = small("wacnn")
    cs.save(codec, tmp_path / "small.safetensors")
    loaded = cs.load(tmp_path / "small.safetensors")
    assert loaded.spec_hash == codec.spec_hash
    assert loaded.spec.name == "wacnn"
    assert not loaded.prepare_tables()
    x = images(1, 64, 64)
    assert loaded.compress(x)["strings"] == codec.compress(x)["strings"]
    with torch.no_grad():
        assert torch.equal(loaded(x)["x_hat"], codec(x)["x_hat"])
