"""What is said of a checkpoint that no spec has the tensors of; and hostile names and shapes, which are no more."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from codecspec import CheckpointError, infer_spec, load_spec, lower
from codecspec.compiler.checkpoints import TensorInfo
from codecspec.compiler.layouts import load_layout
from tests.compiler.inference.manifests import Infos, canonical_infos, infos_in

SOME = TensorInfo("float32", (3,))
WACNN = infos_in(load_layout("authors-wacnn"), lower(load_spec("wacnn")))
TCM = infos_in(load_layout("authors-tcm"), lower(load_spec("tcm", N=64)))
BALLE = canonical_infos(lower(load_spec("bmshj2018-hyperprior", N=12, M=18)))


def said_of(infos: Mapping[str, TensorInfo]) -> list[str]:
    """What is said, a line each."""
    with pytest.raises(CheckpointError, match="no spec has exactly these tensors") as caught:
        infer_spec(infos)
    assert {problem.code for problem in caught.value.problems} == {"E-infer"}
    return str(caught.value).splitlines()


def test_an_extra_module_is_named_and_the_rest_is_understood() -> None:
    lines = said_of({**WACNN, "refine.0.weight": TensorInfo("float32", (64, 64, 3, 3)), "refine.0.bias": SOME})
    assert "understood: g_a, g_s, latent_codec.h_a, latent_codec.h_s (dual)" in lines[0]
    assert "not understood: refine.0.weight, refine.0.bias" in lines[1]
    assert lines[2].endswith("the nearest family is wacnn, in the layout authors: 2 tensors differ")
    assert lines[3:] == [
        f"E-infer at refine.0.{name}: left over: the model has no such tensor" for name in ("weight", "bias")
    ]


def test_what_stands_before_an_extra_block_is_understood() -> None:
    lines = said_of({**WACNN, "g_a.9.weight": TensorInfo("float32", (64, 64, 3, 3))})
    assert "understood: g_a.0 to g_a.8, g_s" in lines[0]
    assert lines[1].endswith("not understood: g_a.9.weight")


def test_a_missing_tensor_is_named_as_the_file_would_name_it() -> None:
    key = "g_a.1.trans_block.mlp.0.weight"
    lines = said_of({name: info for name, info in TCM.items() if name != key})
    assert lines[2].endswith("the nearest family is tcm (N=64), in the layout authors: 1 tensor differs")
    assert lines[3:] == [f"E-infer at {key}: missing: the model needs it, of shape [256, 64]"]


def test_a_tensor_of_another_shape_is_named() -> None:
    key = "g_a.1.trans_block.mlp.0.weight"
    lines = said_of({**TCM, key: TensorInfo("float32", (256, 65))})
    assert lines[3:] == [f"E-infer at {key}: of shape [256, 65], and the model needs [256, 64]"]


def test_a_missing_tensor_comes_before_the_shapes_that_follow_from_it() -> None:
    plain = canonical_infos(lower(load_spec("bmshj2018-factorized-relu", N=12, M=18)))
    lines = said_of({name: info for name, info in plain.items() if name != "g_a.6.weight"})
    assert lines[3] == "E-infer at g_a.6.weight: missing: the model needs it, of shape [192, 12, 5, 5]"
    assert lines[4] == "E-infer at g_a.6.bias: of shape [18], and the model needs [192]"


def test_what_no_spec_can_say_is_told_as_the_language_does() -> None:
    lines = said_of({**BALLE, "g_a.0.weight": TensorInfo("float32", (12, 3, 4, 4))})
    assert "as a spec, it would be wrong at $.g_a[0].kernel: a kernel is odd, found 4" in lines[1]


def test_a_foreign_model_has_no_nearest_family() -> None:
    blocks = [
        f"layer{i}.{j}.{name}" for i in range(1, 5) for j in range(2) for name in ("conv1", "bn1", "conv2", "bn2")
    ]
    resnet = {f"{name}.weight": TensorInfo("float32", (64, 64, 3, 3)) for name in ("conv1", "bn1", *blocks, "fc")}
    assert said_of(resnet) == [
        "E-infer at the mapping given: no spec has exactly these tensors; no part of it is understood",
        "  hint: not understood: conv1.weight, bn1.weight, layer1.0.conv1.weight, layer1.0.bn1.weight, "
        "layer1.0.conv2.weight, layer1.0.bn2.weight, and 29 more",
    ]


def test_parts_that_are_not_there_are_named() -> None:
    half = {key: info for key, info in BALLE.items() if key.startswith("g_a")}
    assert said_of(half)[1].endswith("there are no tensors of: latent_codec, g_s")


def test_both_names_of_one_tensor_are_not_passed_over() -> None:
    quantiles = "latent_codec.z.entropy_bottleneck."
    old = {f"{quantiles}_matrix0": BALLE[f"{quantiles}matrices.0"]}
    assert any(f"{quantiles}_matrix0: left over" in line for line in said_of({**BALLE, **old}))
    assert any(
        "g_a.1.trans_block.norm1.weight" in line for line in said_of({**TCM, "g_a.1.trans_block.norm1.weight": SOME})
    )


def _many(form: str, count: int, shape: tuple[int, ...] = (3,)) -> Infos:
    return {form.format(i): TensorInfo("float32", shape) for i in range(count)}


HOSTILE: dict[str, Infos] = {
    "a key of 1000 segments": {"g_a." + ".".join(["0"] * 1000): SOME},
    "a key of 100,000 segments": {"a." * 100_000: SOME},
    "100,000 keys": _many("k{}.weight", 100_000),
    "100,000 blocks": _many("g_a.{}.weight", 100_000, (3, 3, 3, 3)),
    "a large index": {"g_a.999999999.weight": SOME},
    "an index of 10,000 digits": {f"g_a.{'9' * 10_000}.weight": SOME},
    "an index with a leading zero": {"g_a.01.weight": SOME},
    "digits that are not ASCII": {"g_a.²٣.weight": SOME, "g_a.٣.bias": SOME},
    "empty segments": {"": SOME, ".": SOME, "g_a..weight": SOME, "..": SOME},
    "a tensor and a path": {"g_a": SOME},
    "a tensor above others": {"g_a.0": SOME},
    "control characters": {"g_a.\x1b[31m\n.weight": SOME},
    "half of a character": {"g_a.\ud800.weight": SOME},
    "a huge shape": {
        "g_a.0.weight": TensorInfo("float32", (10**30, 3, 5, 5)),
        "g_a.0.bias": TensorInfo("float32", (10**30,)),
    },
    "an empty tensor": {"g_a.0.weight": TensorInfo("float32", (0, 3, 5, 5))},
    "a negative size": {
        "g_a.0.weight": TensorInfo("float32", (-12, 3, 5, 5)),
        "g_a.0.bias": TensorInfo("float32", (-12,)),
    },
    "negative channels of z": {"latent_codec.z.entropy_bottleneck.quantiles": TensorInfo("float32", (-3, 1, 3))},
    "a scalar": {"g_a.0.weight": TensorInfo("float32", ())},
    "10,000 dimensions": {"g_a.0.weight": TensorInfo("float32", (1,) * 10_000)},
    "a type that torch has not": {"g_a.0.weight": TensorInfo("object", (12, 3, 5, 5))},
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_names_and_shapes_are_refused_in_short_words(what: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        infer_spec({**BALLE, **HOSTILE[what]})
    assert {problem.code for problem in caught.value.problems} <= {"E-infer", "E-checkpoint"}
    assert len(str(caught.value)) < 5_000
    assert all(line.isprintable() for line in str(caught.value).splitlines())


@pytest.mark.parametrize("starts", [("ema",), ("online_model", "ema_model"), ("trainer.codec",)])
def test_a_codec_in_the_midst_of_other_tensors(starts: tuple[str, ...]) -> None:
    inside = {f"{start}.{key}": info for start in starts for key, info in BALLE.items()}
    lines = said_of({**inside, "criterion.weight": SOME})
    count = len(inside) + 1
    assert [line for line in lines if "are bmshj2018-hyperprior's" in line] == [
        "E-infer at the mapping given: no spec has exactly these tensors; "
        f"the {len(BALLE)} of {count} under '{start}.' are bmshj2018-hyperprior's"
        for start in starts
    ]
    assert [line for line in lines if "hint" in line] == [
        f"  hint: --key {start}, or key=... in Python, takes only these" for start in starts
    ]
    for start in starts:
        assert infer_spec({**inside, "criterion.weight": SOME}, key=start).family == "bmshj2018-hyperprior"
