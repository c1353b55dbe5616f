"""The digest of weights: the same wherever and however they lie, another as soon as one of them changes."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

import codecspec as cs
from codecspec.compiler.convert import from_canonical
from codecspec.compiler.layouts import load_layout
from codecspec.runtime.codec import Codec
from codecspec.runtime.streams import digests
from codecspec.runtime.streams.digests import tables_digest, weights_digest
from tests.runtime.small_codecs import SMALL, images, small


@pytest.fixture(scope="module")
def codec() -> Codec:
    return small("wacnn")


def test_another_memory_format_or_precision_is_the_same(codec: Codec) -> None:
    digest = weights_digest(codec)
    assert len(digest) == 16
    assert weights_digest(copy.deepcopy(codec).to(memory_format=torch.channels_last)) == digest
    assert weights_digest(copy.deepcopy(codec).double()) == digest
    assert weights_digest(copy.deepcopy(codec).half()) != digest, "half precision rounds them"


def test_another_layout_is_the_same(codec: Codec, tmp_path: Path) -> None:
    converted = from_canonical(codec.state_dict(), load_layout("authors-wacnn")).tensors
    torch.save(converted, tmp_path / "authors.pth")
    loaded, _ = cs.load_weights(cs.load_spec("wacnn", **SMALL["wacnn"]), tmp_path / "authors.pth")
    for each in (codec, loaded):
        each.prepare_tables()
    assert weights_digest(loaded) == weights_digest(codec)
    assert tables_digest(loaded) == tables_digest(codec)


def test_saving_and_loading_keeps_both(codec: Codec, tmp_path: Path) -> None:
    cs.save(codec, tmp_path / "x.safetensors")
    loaded = cs.load(tmp_path / "x.safetensors")
    assert weights_digest(loaded) == weights_digest(codec)
    assert tables_digest(loaded) == tables_digest(codec)


def test_every_weight_that_decoding_runs_counts(codec: Codec) -> None:
    digest = weights_digest(codec)
    for key, weight in codec.named_parameters():
        before = weight.detach().clone()
        weight.data.view(-1)[-1] += 1
        counts = not key.startswith(("g_a.", "latent_codec.h_a."))
        assert (weights_digest(codec) != digest) == counts, key
        weight.data.copy_(before)
    assert weights_digest(codec) == digest


@pytest.mark.parametrize("name", ["elic", "mbt2018"])
def test_what_a_mask_hides_does_not_count(name: str) -> None:
    """CompressAI's masked convolutions put zeros into their weights when they first run."""
    codec = small(name)
    digest = weights_digest(codec)
    with torch.no_grad():
        codec(images(1, 64, 64))
    assert weights_digest(codec) == digest


def test_the_training_branch_does_not_count() -> None:
    bare, with_branch = small("cca"), small("cca-aux")
    assert with_branch.spec_hash == bare.spec_hash
    assert weights_digest(with_branch) == weights_digest(bare)
    for codec in (bare, with_branch):
        codec.prepare_tables()
    assert tables_digest(with_branch) == tables_digest(bare)


def test_exchanged_tensors_of_one_shape_are_noticed(codec: Codec) -> None:
    other = copy.deepcopy(codec)
    head = other.latent_codec.y.channel_context["y1"]
    a, b = head.mean_cc[0].bias, head.scale_cc[0].bias
    first = a.detach().clone()
    a.data.copy_(b)
    b.data.copy_(first)
    assert weights_digest(other) != weights_digest(codec)


def test_what_is_kept_for_a_gpu_follows_the_weights(codec: Codec) -> None:
    """Run on the CPU: the same digest, made once, and again after each way to change a tensor."""
    other = copy.deepcopy(codec)
    weights = digests.decoder_weights(other)
    kept = digests.KeptDigests()
    digest = kept.of(other, weights)
    assert digest == weights_digest(codec)
    calls = []
    made = digests.KeptDigests(lambda tensors: calls.append(1) or b"made")
    for _ in range(3):
        assert made.of(other, weights) == b"made"
    assert len(calls) == 1
    key = "g_s.0.bias" if "g_s.0.bias" in weights else next(iter(weights))
    weights[key].data.mul_(1.5)
    made.of(other, weights)
    with torch.no_grad():
        weights[key].add_(0.25)
    made.of(other, weights)
    assert len(calls) == 3


def test_one_count_in_a_table_is_another_digest(codec: Codec) -> None:
    other = copy.deepcopy(codec)
    for each in (codec, other):
        each.prepare_tables()
    assert tables_digest(other) == tables_digest(codec)
    cdf = other.latent_codec.y["y3"].gaussian_conditional._quantized_cdf
    widest = int((cdf[60, 1:] - cdf[60, :-1]).argmax())
    cdf[60, widest] += 1
    assert tables_digest(other) != tables_digest(codec)
