"""What wraps state dicts is taken off, and said; which of several is meant is never guessed in silence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import codecspec as cs
from codecspec.compiler.checkpoints import Manifest, TensorInfo, read_manifest

A = torch.zeros(2, 3)
S = {"g_a.0.weight": A, "g_a.0.bias": torch.zeros(3)}
OPTIMIZER = {"state": {0: {"exp_avg": A}, 1: {"exp_avg": A}}, "param_groups": [{"lr": 1e-4}]}


def wrappers(*names: str) -> tuple[str, ...]:
    return tuple(f"the wrapper '{name}'" for name in names)


@pytest.mark.parametrize(
    ("content", "unwrapped", "names"),
    [
        (S, (), ()),
        ({"state_dict": S, "epoch": 3}, wrappers("state_dict"), ("state_dict",)),
        ({"my net": S, "args": {"lr": 1}}, wrappers("my net"), ("my net",)),
        ({"a": {"b": {"c": S}}}, wrappers("a", "b", "c"), ("a.b.c",)),
        ({"model": S, "optimizer": OPTIMIZER, "aux_optimizer": OPTIMIZER}, wrappers("model"), ("model",)),
        ({"optimizer": OPTIMIZER, "net": S, "rng": A}, wrappers("net"), ("net",)),
        (
            {"ema": S, "net": S},
            (*wrappers("net"), "the first of 2 state dicts (beside it: ema)"),
            ("ema", "net"),
        ),
        (
            {"D": S, "state_dict": {"ema": S, "net": S}},
            (*wrappers("state_dict", "net"), "the first of 3 state dicts (beside it: D, state_dict.ema)"),
            ("D", "state_dict.ema", "state_dict.net"),
        ),
    ],
)
def test_wrappers(content: Any, unwrapped: tuple[str, ...], names: tuple[str, ...]) -> None:
    manifest = read_manifest(content)
    assert list(manifest) == list(S)
    assert (manifest.unwrapped, manifest.state_dicts) == (unwrapped, names)
    assert (manifest.format, manifest.source) == ("mapping", "the mapping given")


@pytest.mark.parametrize(
    ("keys", "stripped", "prefixes"),
    [
        (["module.a", "module.b"], ["a", "b"], ["module."]),
        (["_orig_mod.a", "_orig_mod.b"], ["a", "b"], ["_orig_mod."]),
        (["_orig_mod.module.a", "_orig_mod.module.b"], ["a", "b"], ["_orig_mod.", "module."]),
        (["module._orig_mod.a"], ["a"], ["module.", "_orig_mod."]),
        (["model.net.a", "model.net.b"], ["a", "b"], ["model.", "net."]),
        (["module.a", "b"], ["module.a", "b"], []),
        (["module.a", "module_b.c"], ["module.a", "module_b.c"], []),
        (["a.module.b"], ["a.module.b"], []),
        (["model"], ["model"], []),
        (["module.", "module.a"], ["module.", "module.a"], []),
        (["module." * 20 + "a"], ["module." * 12 + "a"], ["module."] * 8),
    ],
)
def test_prefixes(keys: list[str], stripped: list[str], prefixes: list[str]) -> None:
    manifest = read_manifest(dict.fromkeys(keys, A))
    assert list(manifest) == stripped
    assert manifest.unwrapped == tuple(f"the prefix '{prefix}' of all keys" for prefix in prefixes)


GAN = {"G": {"net": S, "ema": {"x": A}}, "D": {"y": A}, "opt": OPTIMIZER}


@pytest.mark.parametrize(("key", "keys"), [("G", list(S)), ("G.net", list(S)), ("G.ema", ["x"]), ("D", ["y"])])
def test_a_key_chooses(key: str, keys: list[str]) -> None:
    manifest = read_manifest(GAN, key=key)
    assert list(manifest) == keys
    assert manifest.state_dicts == ("G.net", "G.ema", "D")
    assert manifest.unwrapped[-1].startswith("the chosen one of 3 state dicts")


@pytest.mark.parametrize(
    ("content", "key", "message", "hint"),
    [
        (GAN, None, "it holds 3 state dicts: G.net, G.ema, D", "say which: --key NAME, or key=... in Python"),
        (GAN, "E", "it has no state dict 'E'; it has: G.net, G.ema, D", ""),
        (GAN, "G.emma", "it has no state dict 'G.emma'", "did you mean 'G.ema'?"),
        (GAN, "opt", "it has no state dict 'opt'", ""),
        (S, "net", "it has no state dict 'net'; it has: none", ""),
        ({**S, "lr": 0.1, "x": [A]}, None, "these entries are no tensors: lr, x", "a state dict is looked for under"),
        ({"net": {**S, "lr": 0.1}}, None, "these entries are no tensors: lr", "a state dict is looked for under"),
        ({"net": {**S, "x._extra_state": S}}, None, "these entries are no tensors: x._extra_state", "--key NAME"),
        ({"rng": A, "my net": S}, None, "these entries are no tensors: my net", "--key NAME"),
        (OPTIMIZER, None, "these entries are no tensors: state, param_groups", ""),
        ({"net": {}}, None, "these entries are no tensors: none", ""),
        ({}, None, "it holds a dict, not a state dict", ""),
        ({f"k{i}": {"a": A} for i in range(100)}, None, "it holds 100 state dicts: k0, .*, k31, ..\n", ""),
    ],
)
def test_what_is_not_clear_is_an_error(content: Any, key: str | None, message: str, hint: str) -> None:
    with pytest.raises(cs.CheckpointError, match=message) as caught:
        read_manifest(content, key=key)
    assert caught.value.where == "the mapping given"
    assert hint in caught.value.hint


def test_a_key_chooses_what_is_not_clear() -> None:
    assert list(read_manifest({"rng": A, "my net": S}, key="my net")) == list(S)
    assert list(read_manifest({"rng": A, "model": S})) == list(S)


def test_what_is_not_clear_names_the_file(tmp_path: Any) -> None:
    torch.save(GAN, tmp_path / "x.pth")
    with pytest.raises(cs.CheckpointError, match="it holds 3 state dicts: G.net, G.ema, D") as caught:
        read_manifest(tmp_path / "x.pth")
    assert caught.value.where == str(tmp_path / "x.pth")


def test_shapes_and_types_of_a_mapping() -> None:
    given = {"t": A.half(), "n": np.zeros((2, 1), np.int32), "i": TensorInfo("bfloat16", (3,)), "meta": A.to("meta")}
    manifest = read_manifest(given)
    assert {key: (info.dtype, info.shape) for key, info in manifest.items()} == {
        "t": ("float16", (2, 3)),
        "n": ("int32", (2, 1)),
        "i": ("bfloat16", (3,)),
        "meta": ("float32", (2, 3)),
    }
    assert manifest.values_of("t").tolist() == [[0, 0, 0], [0, 0, 0]]
    assert manifest.values_of("n").tolist() == [[0], [0]]
    for key in ("i", "meta"):
        with pytest.raises(cs.CheckpointError, match="its values cannot be had"):
            manifest.values_of(key)
    with pytest.raises(cs.CheckpointError, match="a ndarray, and no tensor") as caught:
        manifest.tensors()
    assert caught.value.where == "the mapping given#n"
    assert read_manifest({"a": A}).tensors()["a"] is A


def test_keys_that_are_numbers() -> None:
    assert list(read_manifest({"net": {0: A, 1: A}})) == ["0", "1"]
    with pytest.raises(cs.CheckpointError, match="these entries are no tensors: 0"):
        read_manifest({0: {"a": A}})


def test_a_manifest_is_a_mapping() -> None:
    manifest = read_manifest({"state_dict": S})
    again = read_manifest(manifest)
    assert isinstance(again, Manifest)
    assert dict(again) == dict(manifest)
    assert manifest["g_a.0.weight"] == TensorInfo("float32", (2, 3))
    assert (manifest["g_a.0.weight"].elements, manifest["g_a.0.weight"].nbytes, manifest.nbytes) == (6, 24, 36)
    assert "nothing" not in manifest


@pytest.mark.parametrize(
    ("keys", "stripped", "words"),
    [
        (["g_a._orig_mod.0.bias", "g_s.b"], ["g_a.0.bias", "g_s.b"], ["the segment '_orig_mod' in 1 keys"]),
        (
            ["g_a._fsdp_wrapped_module.0._orig_mod.b"],
            ["g_a.0.b"],
            ["the segment '_orig_mod' in 1 keys", "the segment '_fsdp_wrapped_module' in 1 keys"],
        ),
        (["a._orig_mod.b", "a.b"], ["a._orig_mod.b", "a.b"], []),
        (["_orig_mod", "b"], ["_orig_mod", "b"], []),
        (
            ["n_averaged", "module.a", "module.b"],
            ["a", "b"],
            ["the count 'n_averaged' of torch's AveragedModel", "the prefix 'module.' of all keys"],
        ),
        (["n_averaged", "module.a", "b"], ["n_averaged", "module.a", "b"], []),
        (["n_averaged"], ["n_averaged"], []),
    ],
)
def test_what_torch_puts_into_keys_and_beside_them(keys: list[str], stripped: list[str], words: list[str]) -> None:
    manifest = read_manifest(dict.fromkeys(keys, A))
    assert list(manifest) == stripped
    assert list(manifest.unwrapped) == words


def test_a_key_chooses_a_beginning_of_keys() -> None:
    both = {**{f"model.{key}": tensor for key, tensor in S.items()}, "loss.weight": A}
    word = "the prefix 'model.' of 2 of 3 keys; the others are left out"
    assert (list(read_manifest(both, key="model")), read_manifest(both, key="model").unwrapped) == (list(S), (word,))
    wrapped = read_manifest({"state_dict": both, "optimizer": OPTIMIZER}, key="model")
    assert (list(wrapped), wrapped.unwrapped) == (list(S), ("the wrapper 'state_dict'", word))
    with pytest.raises(cs.CheckpointError, match="it has no state dict 'mod'"):
        read_manifest(both, key="mod")
    assert list(read_manifest({"model": {"x": A}, "net": {"model.y": A}}, key="model")) == ["x"], "a path comes first"
