"""The published models compute what their authors' code computes: every file in this folder, in float64."""

from __future__ import annotations

import pytest
import torch

from codecspec import specs
from codecspec.compiler.convert import from_canonical
from codecspec.compiler.layouts import load_layout
from codecspec.compiler.lower import lower
from codecspec.compiler.saved_model import with_weights
from codecspec.runtime.streams.container import NUMERICS
from codecspec.schema.load import load_spec
from tests.golden import golden_models
from tests.runtime import test_compressai_elic, test_compressai_identity

LAYOUTS = {"elic": "compressai-1.2-elic"}
"""The layout file of a golden, where it is not the authors'."""

NAMES = sorted(path.stem for path in golden_models.FOLDER.glob("*.json"))


def test_goldens_are_found() -> None:
    assert "wacnn" in NAMES


@pytest.mark.golden
@pytest.mark.parametrize("name", NAMES)
def test_authors_checkpoint_gives_the_authors_numbers(name: str) -> None:
    golden = golden_models.read(name)
    checkpoint = golden_models.state_dict(golden)
    assert len(checkpoint) == len(golden["state_dict"])

    codec, conversion = with_weights(lower(golden_models.spec_of(golden)), checkpoint)
    layout = load_layout(LAYOUTS.get(name, f"authors-{name}"))
    assert conversion.layout == layout.name
    assert sum(p.numel() for p in codec.parameters()) == golden["num_parameters"]
    back = from_canonical(codec.state_dict(), layout).tensors
    assert back.keys() == checkpoint.keys()
    assert all(torch.equal(back[key], tensor) and back[key].dtype == tensor.dtype for key, tensor in checkpoint.items())

    codec.double()
    x = golden_models.image(golden)
    for numerics in NUMERICS:
        with torch.no_grad(), codec.computing(numerics):
            out = codec(x)
            y = codec.g_a(x)
        assert golden_models.differences(golden, out, y) == [], numerics


@pytest.mark.golden
def test_without_its_auxiliary_branch_cca_gives_the_same_numbers() -> None:
    golden = golden_models.read("cca")
    checkpoint = golden_models.state_dict(golden)
    codec, conversion = with_weights(lower(load_spec("cca")), checkpoint)
    assert sorted(conversion.left_out) == sorted(key for key in checkpoint if key.startswith("aux_entropymodel."))
    codec.double()
    with torch.no_grad():
        out = codec(golden_models.image(golden))
    del golden["outputs"]["aux_bits"]
    assert golden_models.differences(golden, out, None) == []


def test_every_spec_meets_numbers_of_others() -> None:
    """Those of a golden, or of the installed CompressAI."""
    goldens = {golden_models.spec_of(golden_models.read(name)).name for name in NAMES} | {"cca"}
    assert goldens | {*test_compressai_identity.MODELS, *test_compressai_elic.MODELS} == set(specs.names())


@pytest.mark.golden
def test_a_swapped_mean_and_scale_misses_the_golden() -> None:
    """The comparison can fail: weights that load strictly and are wired wrongly are found, channel by channel."""
    golden = golden_models.read("wacnn")
    codec, _ = with_weights(lower(load_spec("wacnn")), golden_models.state_dict(golden))
    h_s = codec.latent_codec.h_s
    h_s.h_mean_s, h_s.h_scale_s = h_s.h_scale_s, h_s.h_mean_s
    codec.double()
    with torch.no_grad():
        out = codec(golden_models.image(golden))
    found = golden_models.differences(golden, out, None)
    assert any(line.startswith("bits of y, channel 0") for line in found)
    assert not any(line.startswith("bits of z") for line in found)
