"""The doctor: each thing that can be wrong, made wrong in a checkpoint, and named."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import codecspec as cs
from codecspec.compiler.variants import variants
from codecspec.diagnosis.dead_leaves import dead_leaves
from codecspec.diagnosis.diagnose import Diagnosis, diagnose
from codecspec.diagnosis.latents import latent_findings
from codecspec.diagnosis.tensors import InitialState
from codecspec.runtime.codec import Codec
from codecspec.runtime.coding_tables import TABLES
from codecspec.runtime.image_files import read_image, write_image
from codecspec.schema.errors import CheckpointError, StreamError
from tests.diagnosis.trained_codecs import SLICES, trained
from tests.runtime.small_codecs import SMALL, small

BOTTLENECK = "latent_codec.z.entropy_bottleneck"


@pytest.fixture(scope="module")
def codec() -> Codec:
    """A tiny mbt2018-mean that was trained."""
    return trained("mbt2018-mean", steps=150, N=12, M=12)


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    write_image(dead_leaves(128, 192, seed=9), path)
    return path


def said(found: Diagnosis, about: str, verdict: str = "wrong") -> list[str]:
    return [each.message for each in found.findings if (each.about, each.verdict) == (about, verdict)]


def of(codec: Codec, path: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> Path:
    """A checkpoint of the codec's tensors, changed."""
    codec.prepare_tables()
    tensors = {key: tensor.clone() for key, tensor in codec.state_dict().items()}
    change(tensors)
    save_file(tensors, path)
    return path


def test_nothing_is_wrong_with_tensors_tables_and_quantiles(codec: Codec, photo: Path, tmp_path: Path) -> None:
    cs.save(codec, tmp_path / "fine.safetensors")
    found = diagnose(tmp_path / "fine.safetensors", [photo])
    assert {each.about for each in found.wrong} <= {"picture"}, "it was trained for seconds"
    assert said(found, "tables", "fine") == ["coding tables of 2 entropy models match their weights"]
    assert found.inference is not None
    assert (found.inference.family, found.spec_inside) == ("mbt2018-mean", True)


def test_figures_of_an_image(codec: Codec, photo: Path, tmp_path: Path) -> None:
    cs.save(codec, tmp_path / "fine.safetensors")
    found = diagnose(tmp_path / "fine.safetensors", [photo])
    size = len(cs.encode(codec, photo))
    message = next(each.message for each in found.findings if each.about == "rate")
    assert message.startswith(f"photo.png: {8 * size / (128 * 192):.4f} bits per pixel coded, ")
    x = read_image(photo)
    decoded = cs.decode(codec, cs.encode(codec, photo))
    error = float((x.double() * 255 - (decoded.double() * 255).round()).square().mean())
    message = next(each.message for each in found.findings if each.about == "picture")
    assert message.startswith(f"photo.png: PSNR {10 * math.log10(255**2 / error):.2f} dB")
    with torch.no_grad():
        out = codec(x)
    bits = sum(float(-each.double().log2().sum()) for each in out["likelihoods"].values())
    assert found.trials[""].bpp == pytest.approx(bits / (128 * 192), rel=1e-9)


def test_nan_and_infinity(codec: Codec, photo: Path, tmp_path: Path) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors["g_s.0.weight"][0, 0, 0, :2] = math.nan
        tensors["g_a.2.bias"][3] = -math.inf

    found = diagnose(of(codec, tmp_path / "x.safetensors", change), [photo])
    first, second = said(found, "tensors")
    weights = codec.state_dict()["g_s.0.weight"].numel()
    assert first == f"1 tensors hold NaN: g_s.0.weight (2 of {weights:,} numbers of g_s.0.weight)"
    assert second == "1 tensors hold infinite values: g_a.2.bias (1 of 12 numbers of g_a.2.bias)"
    assert found.measured == {}


def test_zero_and_untouched(codec: Codec, photo: Path, tmp_path: Path) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors["g_a.4.weight"].zero_()
        tensors[f"{BOTTLENECK}.quantiles"].copy_(torch.tensor([-10.0, 0, 10]))
        tensors["g_a.1.beta"].copy_(initial["g_a.1.beta"])

    initial = InitialState.of(cs.lower(codec.spec)).constant
    found = diagnose(of(codec, tmp_path / "x.safetensors", change), [photo])
    assert "1 tensors are all zero, which training does not leave them: g_a.4.weight" in said(found, "tensors")
    [note] = [each for each in found.findings if each.verdict == "note"]
    assert set(note.keys) == {"g_a.1.beta", f"{BOTTLENECK}.quantiles"}
    assert "auxiliary loss" in note.hint
    assert note.message.startswith(f"2 of {len(initial)} tensors with a known initial value still have it: ")


def test_what_is_known_of_initial_values() -> None:
    initial = InitialState.of(cs.lower(cs.load_spec("cca", **SMALL["cca"])))
    found = initial.constant
    naf = [key for key in found if key.endswith((".beta", ".gamma"))]
    assert naf
    assert any(not found[key].any() for key in naf)
    assert "g_a.0.weight" not in found
    assert f"{BOTTLENECK}.quantiles" in found
    bound = 1 / math.sqrt(12 * 5 * 5)
    assert initial.ranges["g_a.2.weight"] == pytest.approx((-bound, bound), rel=0.005)


def test_an_untrained_codec(photo: Path, tmp_path: Path) -> None:
    cs.save(cs.compile_spec("mbt2018-mean", N=12, M=12), tmp_path / "x.safetensors")
    found = diagnose(tmp_path / "x.safetensors", [photo])
    initial = InitialState.of(cs.lower(cs.load_spec("mbt2018-mean", N=12, M=12)))
    known = len(initial.constant) + len(initial.ranges)
    assert f"all {known} tensors that can tell have their initial values: nothing was trained" in said(found, "tensors")


def test_parts_that_were_never_trained(codec: Codec, photo: Path, tmp_path: Path) -> None:
    fresh = cs.compile_spec(codec.spec).state_dict()

    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors.update({key: fresh[key].clone() for key in tensors if ".h_s." in key or key.startswith(BOTTLENECK)})

    found = diagnose(of(codec, tmp_path / "x.safetensors", change), [photo])
    [message] = said(found, "tensors")
    assert message == (
        "parts that were never trained, beside others that were: "
        f"{BOTTLENECK} (10 tensors), latent_codec.h_s (3 tensors)"
    )
    [message] = said(found, "latents")
    assert message.startswith("values cost far more bits than their scales predict: ")
    assert "latent_codec.y.gaussian_conditional (" in message


def test_a_bottleneck_alone_that_was_never_trained(codec: Codec, photo: Path, tmp_path: Path) -> None:
    fresh = cs.compile_spec(codec.spec).state_dict()

    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors.update({key: fresh[key].clone() for key in tensors if key.startswith(BOTTLENECK)})

    found = diagnose(of(codec, tmp_path / "x.safetensors", change), [photo])
    [finding] = [each for each in found.wrong if each.about == "tensors"]
    assert finding.message.endswith(f"{BOTTLENECK} (10 tensors)")
    assert "codecspec reads a bottleneck's older names" in finding.hint


def test_tables(codec: Codec, photo: Path, tmp_path: Path) -> None:
    names = [f"{BOTTLENECK}.{name}" for name in ("_offset", "_quantized_cdf", "_cdf_length")]

    def missing(tensors: dict[str, torch.Tensor]) -> None:
        for name in names:
            tensors[name] = torch.empty(0, dtype=torch.int32)

    def broken(tensors: dict[str, torch.Tensor]) -> None:
        tensors[names[1]][0] = 0

    bias = next(key for key in codec.state_dict() if key.startswith(BOTTLENECK) and "bias" in key)

    def changed(tensors: dict[str, torch.Tensor]) -> None:
        tensors[bias] += 1.5

    found = diagnose(of(codec, tmp_path / "missing.safetensors", missing), [photo])
    assert said(found, "tables", "note")[0].startswith(f"coding tables are missing: {BOTTLENECK}")
    found = diagnose(of(codec, tmp_path / "stale.safetensors", changed), [photo])
    assert said(found, "tables")[0].startswith(f"coding tables do not match the weights: {BOTTLENECK}")
    found = diagnose(
        of(codec, tmp_path / "broken.safetensors", broken), [photo], repair=tmp_path / "mended.safetensors"
    )
    assert said(found, "tables")[0].startswith(f"coding tables cannot be used: {BOTTLENECK}")
    mended = cs.load(tmp_path / "mended.safetensors")
    codec.prepare_tables()
    assert all(torch.equal(mended.state_dict()[name], codec.state_dict()[name]) for name in names)
    assert cs.encode(mended, photo) == cs.encode(codec, photo)
    assert said(diagnose(tmp_path / "mended.safetensors", [photo]), "tables") == []


def test_quantiles_off_their_target(codec: Codec, photo: Path, tmp_path: Path) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors[f"{BOTTLENECK}.quantiles"] *= 0.05
        tensors[f"{BOTTLENECK}.quantiles"][0, 0, 1] += 30

    [message] = said(diagnose(of(codec, tmp_path / "x.safetensors", change), [photo]), "quantiles")
    assert message.startswith(f"quantiles of {BOTTLENECK} are off: 12 of 12 channels leave more than 0.0001")


def test_scales_at_their_bound(codec: Codec, photo: Path, tmp_path: Path) -> None:
    last = max(key for key in codec.state_dict() if key.startswith("latent_codec.h_s.") and key.endswith(".bias"))

    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors[last][:12] -= 1000

    [message] = said(diagnose(of(codec, tmp_path / "x.safetensors", change), [photo]), "scales")
    assert message == "100.0% of the scales of y are at their lower bound, 0.0% beyond the last table"


def test_shares_of_scales() -> None:
    """Against the scales that the hyperprior's own parts give, one after another."""
    codec = small("mbt2018-mean")
    codec.numerics = "reference"
    gaussian, bottleneck = codec.latent_codec.y.gaussian_conditional, codec.latent_codec.z.entropy_bottleneck
    gaussian.scale_table = torch.tensor([0.11, 0.5])
    x = dead_leaves(128, 192, seed=9)
    with torch.no_grad():
        z = codec.latent_codec.h_a(codec.g_a(x))
        median = bottleneck.quantiles[:, 0, 1].reshape(1, -1, 1, 1)
        scales, _ = codec.latent_codec.h_s((z - median).round() + median).chunk(2, 1)
    low, high = float((scales <= 0.11).double().mean()), float((scales > 0.5).double().mean())
    assert 0.05 < low < 0.95
    assert 0.01 < high < 0.95
    found = latent_findings(codec, [x])[0]
    assert found.message == (f"{low:.1%} of the scales of y are at their lower bound, {high:.1%} beyond the last table")
    assert found.verdict == "wrong"


def test_no_spec_has_these_tensors(codec: Codec, photo: Path, tmp_path: Path) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        del tensors["g_s.0.weight"]
        tensors["g_a.0.weight"][0, 0, 0, 0] = math.nan

    found = diagnose(of(codec, tmp_path / "x.safetensors", change), [photo])
    assert found.inference is None
    [message] = said(found, "layout")
    assert message.startswith(
        f"E-infer at {tmp_path / 'x.safetensors'}: no spec has exactly these tensors; understood: "
    )
    assert "\n" not in message
    assert (
        said(found, "layout", "note")[1]
        == "E-infer at g_s.0.weight: missing: the model needs it, of shape [12, 12, 5, 5]"
    )
    assert "g_a.0.weight" in said(found, "tensors")[0]


def test_mean_and_scale_swapped(codec: Codec, photo: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    spec = cs.parse_spec(
        "codecspec: 1\nextends: mbt2018-mean\nparams: {N: 12, M: 12}\n"
        "latent_codec: {y: {type: gaussian, chunks: [means, scales]}}\nname: swapped\n"
    )
    other = cs.compile_spec(spec)
    other.load_state_dict(codec.state_dict())
    cs.save(other, path)
    found = diagnose(path, [photo])
    assert said(found, "variants")[0].startswith("better where chunks are scales, means: ")
    assert found.trials["chunks are scales, means"].bpp < found.trials[""].bpp / 2


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_half_precision_is_no_fault(kind: torch.dtype, codec: Codec, photo: Path, tmp_path: Path) -> None:
    codec.prepare_tables()
    state = codec.state_dict().items()
    save_file({k: v.to(kind) if v.is_floating_point() else v for k, v in state}, tmp_path / "x.safetensors")
    found = diagnose(tmp_path / "x.safetensors", [photo])
    assert {each.about for each in found.wrong} <= {"picture"}, "it was trained for seconds"
    assert "chunks are means, scales" in found.trials
    [message] = said(found, "tensors", "note")
    name = str(kind).removeprefix("torch.")
    assert message.startswith("85 of 85 floating-point tensors are " + name)
    [note] = [each for each in found.findings if each.about == "tables"]
    assert note.verdict == "note"
    assert "before the weights were rounded to half precision" in note.hint


@pytest.mark.slow
def test_mean_and_scale_of_a_checkerboard_swapped(photo: Path, tmp_path: Path) -> None:
    codec = trained("elic", steps=100, N=12, M=16, groups=[4, 4, 8])
    cs.save(codec, tmp_path / "fine.safetensors")
    found = diagnose(tmp_path / "fine.safetensors", [photo])
    assert said(found, "variants") == []
    [note] = said(found, "variants", "note")
    assert note.startswith("these images do not distinguish the spec from one where ")
    assert "anchors are where row + column is odd (" in note
    leaf = "latent_codec: {y: {leaf: {type: checkerboard, parameters: {ramp: 3, min: 2*N}, chunks: [means, scales]}}}"
    spec = cs.parse_spec(
        f"codecspec: 1\nextends: elic\nname: swapped\nparams: {{N: 12, M: 16, groups: [4, 4, 8]}}\n{leaf}\n"
    )
    other = cs.compile_spec(spec)
    other.load_state_dict(codec.state_dict())
    cs.save(other, tmp_path / "x.safetensors")
    found = diagnose(tmp_path / "x.safetensors", [photo])
    assert said(found, "variants")[0].startswith("better where chunks are scales, means: ")


@pytest.mark.slow
def test_recent_for_first_slices_and_swapped_heads(photo: Path, tmp_path: Path) -> None:
    codec = trained(cs.parse_spec(SLICES), steps=120)
    cs.save(codec, tmp_path / "fine.safetensors")
    assert said(diagnose(tmp_path / "fine.safetensors", [photo]), "variants") == []
    recent = cs.compile_spec(cs.parse_spec(SLICES.replace("filter: first", "filter: recent")))
    recent.load_state_dict(codec.state_dict())
    cs.save(recent, tmp_path / "recent.safetensors")
    [message] = said(diagnose(tmp_path / "recent.safetensors", [photo]), "variants")
    assert message.startswith("better where the first 1 slices are seen: ")
    swapped = {variant.change: variant for variant in variants(cs.lower(codec.spec))}
    heads = swapped["the weights of the heads for means and scales are under each other's keys"]
    tensors = codec.state_dict()
    other = cs.compile_spec(cs.parse_spec(SLICES))
    other.load_state_dict({key: tensors[heads.renamed.get(key, key)] for key in tensors})
    cs.save(other, tmp_path / "swapped.safetensors")
    [message] = said(diagnose(tmp_path / "swapped.safetensors", [photo]), "variants")
    assert message.startswith(f"better where {heads.change}: ")


@pytest.mark.parametrize("layout", ["canonical", "compressai-1.2"])
def test_tables_whose_keys_are_not_even_there(layout: str, codec: Codec, photo: Path, tmp_path: Path) -> None:
    """As where someone kept parameters alone; in any layout."""
    from safetensors.torch import load_file

    cs.save(codec, tmp_path / "whole.safetensors")
    tensors = {key: value.clone() for key, value in cs.convert(tmp_path / "whole.safetensors", layout).tensors.items()}
    kept = {key: value for key, value in tensors.items() if key.rpartition(".")[2] not in TABLES}
    assert len(kept) == len(tensors) - 6
    save_file(kept, tmp_path / "kept.safetensors")
    with pytest.raises(CheckpointError, match="missing"):
        cs.load(tmp_path / "kept.safetensors")
    found = diagnose(tmp_path / "kept.safetensors", [photo], repair=tmp_path / "mended.safetensors")
    (message,) = said(found, "tables")
    assert message.startswith("6 keys of coding tables are not in the file, so it does not load: ")
    assert found.repaired
    whole, mended = load_file(tmp_path / "whole.safetensors"), load_file(tmp_path / "mended.safetensors")
    assert whole.keys() == mended.keys()
    assert all(torch.equal(whole[key], mended[key]) for key in whole)


def test_an_image_that_cannot_be_read_is_passed_over(codec: Codec, photo: Path, tmp_path: Path) -> None:
    cs.save(codec, tmp_path / "fine.safetensors")
    (tmp_path / "broken.png").write_bytes(b"no image")
    found = diagnose(tmp_path / "fine.safetensors", [tmp_path / "broken.png", photo])
    assert list(found.measured) == ["photo.png"]
    (message,) = said(found, "images", "note")
    assert message.startswith(f"E-image at {tmp_path / 'broken.png'}: it cannot be read as an image")
    with pytest.raises(StreamError, match="it cannot be read as an image"):
        diagnose(tmp_path / "fine.safetensors", [tmp_path / "broken.png"])
