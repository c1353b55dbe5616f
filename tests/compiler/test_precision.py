"""Checkpoints in half precision: weights as they were rounded, constants as they were before."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import codecspec as cs
from codecspec.compiler.precision import typed
from codecspec.diagnosis.dead_leaves import dead_leaves
from tests.runtime.small_codecs import small


@pytest.mark.parametrize("name", ["mbt2018", "elic", "bmshj2018-factorized"])
@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_constants_are_not_rounded(name: str, kind: torch.dtype) -> None:
    codec = small(name)
    plan = cs.lower(codec.spec)
    tensors = {key: tensor.detach() for key, tensor in codec.state_dict().items()}
    halved = {key: tensor.to(kind) if tensor.is_floating_point() else tensor for key, tensor in tensors.items()}
    found = typed(halved, plan)
    roles = {key: planned.role for key, planned in plan.manifest().items()}
    assert all(torch.equal(found[key], tensors[key]) for key in tensors if roles[key] == "buffer")
    assert all(torch.equal(found[key], halved[key].float()) for key in tensors if roles[key] == "parameter")


def test_constants_that_were_chosen_are_kept() -> None:
    codec = small("mbt2018-mean")
    key = "latent_codec.y.gaussian_conditional.likelihood_lower_bound.bound"
    tensors = {name: tensor.detach().clone() for name, tensor in codec.state_dict().items()}
    tensors[key].fill_(0.25)
    halved = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    assert float(typed(halved, cs.lower(codec.spec))[key]) == 0.25


def test_a_file_in_float16_gives_likelihoods_that_are_not_zero(tmp_path: Path) -> None:
    cs.save(small("mbt2018-mean"), tmp_path / "whole.safetensors")
    tensors = load_file(tmp_path / "whole.safetensors")
    halved = {key: tensor.half() if tensor.is_floating_point() else tensor for key, tensor in tensors.items()}
    save_file(halved, tmp_path / "half.safetensors")
    with torch.no_grad():
        found = cs.load(tmp_path / "half.safetensors")(20 * dead_leaves(64, 64))["likelihoods"]
    assert min(float(each.min()) for each in found.values()) == pytest.approx(1e-9)
