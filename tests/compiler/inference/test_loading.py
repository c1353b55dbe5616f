"""`cs.load` of whatever holds a codec's weights: what it codes is what the source codes, bit for bit."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import codecspec as cs
from codecspec.cli import codecspec
from codecspec.compiler.checkpoints import read_tensors
from codecspec.compiler.convert import from_canonical
from codecspec.compiler.layouts import Layout
from codecspec.runtime.codec import Codec
from tests.compiler.checkpoints.written import safetensors, torch_legacy, torch_zip
from tests.compiler.inference.manifests import zoo_layouts
from tests.runtime.small_codecs import SMALL, images, small

Tensors = dict[str, Tensor]
ZOO = list(zoo_layouts())


def prefixed(prefix: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {prefix + key: tensor for key, tensor in tensors.items()}


def with_an_optimizer(tensors: Tensors) -> dict[str, Any]:
    steps = {
        "state": {0: {"step": torch.tensor(3.0), "exp_avg": torch.zeros(2)}},
        "param_groups": [{"lr": 1e-4, "params": [0]}],
    }
    return {"epoch": 3, "state_dict": tensors, "optimizer": steps, "loss": 0.5}


WRITTEN: dict[str, Callable[[Tensors], bytes]] = {
    "zip": torch_zip,
    "legacy": torch_legacy,
    "safetensors": safetensors,
    "wrapped, with an optimizer": lambda tensors: torch_zip(with_an_optimizer(tensors)),
    "wrapped twice": lambda tensors: torch_zip({"checkpoint": {"model": tensors}}),
    "module.": lambda tensors: torch_zip({"state_dict": prefixed("module.")(tensors)}),
    "_orig_mod.": lambda tensors: torch_legacy(prefixed("_orig_mod.")(tensors)),
}


def exported(codec: Codec, layout: Layout | None) -> Tensors:
    """A codec's tensors in a layout, each with memory of its own."""
    state = codec.state_dict()
    theirs = from_canonical(state, layout).tensors if layout else state
    return {key: tensor.detach().clone() for key, tensor in theirs.items()}


@pytest.mark.parametrize("name", sorted(SMALL))
def test_every_file_of_the_zoo_is_itself(name: str) -> None:
    """In each layout, each way to write it before the coding tables are filled, and one after."""
    codec = small(name)
    own = [layout for family, layout in ZOO if family == name]
    files = {(layout, how): write(exported(codec, layout)) for layout in own for how, write in WRITTEN.items()}
    codec.prepare_tables()
    files |= {(layout, "with its tables"): torch_zip(exported(codec, layout)) for layout in own}
    params = cs.load_spec(name, **SMALL[name]).params
    for what, raw in files.items():
        found = cs.infer_spec(io.BytesIO(raw))
        assert (found.family, found.alternatives, cs.spec_hash(found.spec)) == (name, (), codec.spec_hash), what
        assert found.params == params, what
        assert bool(found.notes) == (what[1] not in ("zip", "legacy", "safetensors", "with its tables")), what


@pytest.mark.parametrize("name", sorted(SMALL))
def test_what_is_loaded_codes_as_its_source_does(name: str, tmp_path: Path) -> None:
    codec = small(name)
    layout = next((layout for family, layout in reversed(ZOO) if family == name), None)
    path = tmp_path / "theirs.pth.tar"
    path.write_bytes(torch_zip({"state_dict": prefixed("module.")(exported(codec, layout))}))
    loaded = cs.load(path)
    x = images(1, 64, 96)
    with torch.no_grad():
        ours, theirs = loaded.compress(x), codec.compress(x)
        assert ours["strings"] == theirs["strings"]
        assert torch.equal(loaded.decompress(**ours)["x_hat"], codec.decompress(**theirs)["x_hat"])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_of_any_precision(dtype: torch.dtype, tmp_path: Path) -> None:
    codec = small("mbt2018-mean")
    state = {key: each.to(dtype) if each.is_floating_point() else each for key, each in codec.state_dict().items()}
    torch.save(state, tmp_path / "c.pth")
    loaded = cs.load(tmp_path / "c.pth")
    assert loaded.spec_hash == codec.spec_hash
    assert all(torch.equal(each, state[key].to(each.dtype)) for key, each in loaded.named_parameters())
    own = dict(codec.named_buffers())
    assert all(torch.equal(each, own[key]) for key, each in loaded.named_buffers()), "constants are not rounded"
    assert {each.dtype for each in loaded.parameters()} == {torch.float32}


def _saved(tmp_path: Path) -> tuple[Path, dict[str, Any], bytes]:
    """A file of ours: its path, its header and its data."""
    path = tmp_path / "ours.safetensors"
    cs.save(small("mbt2018-mean"), path)
    raw = path.read_bytes()
    end = 8 + int.from_bytes(raw[:8], "little")
    return path, json.loads(raw[8:end]), raw[end:]


def _rewrite(path: Path, header: dict[str, Any], data: bytes) -> None:
    raw = json.dumps(header).encode()
    path.write_bytes(len(raw).to_bytes(8, "little") + raw + data)


def test_a_file_of_ours_is_used_as_it_says(tmp_path: Path) -> None:
    mapping = {"codecspec": 1, "extends": "wacnn", "name": "mine", "params": SMALL["wacnn"],
               "latent_codec": {"y": {"support": {"filter": "recent", "max": "max_support"}}}}  # fmt: skip
    cs.save(cs.compile_spec(mapping), tmp_path / "ours.safetensors")
    assert cs.load(tmp_path / "ours.safetensors").spec.latent_codec.y.support.filter == "recent"
    found = cs.infer_spec(tmp_path / "ours.safetensors")
    assert any("the spec inside the file (mine) is another" in note for note in found.notes)


def test_tensors_that_do_not_fit_the_spec_inside_are_an_error_that_names_both(tmp_path: Path) -> None:
    path, header, data = _saved(tmp_path)
    header["g_a.0.extra"] = header.pop("g_a.0.bias")
    _rewrite(path, header, data)
    with pytest.raises(cs.CheckpointError, match="the spec inside, mbt2018-mean, does not fit the tensors") as caught:
        cs.load(path)
    assert {"g_a.0.bias", "g_a.0.extra"} <= {problem.where for problem in caught.value.problems}


def test_a_spec_inside_that_was_changed_is_an_error(tmp_path: Path) -> None:
    path, header, data = _saved(tmp_path)
    said = header["__metadata__"]["codecspec.spec"]
    assert "slope: 0.01" in said
    header["__metadata__"]["codecspec.spec"] = said.replace("slope: 0.01", "slope: 0.02", 1)
    _rewrite(path, header, data)
    with pytest.raises(cs.CheckpointError, match="the file was changed after it was written|the file says"):
        cs.load(path)


def test_convert_needs_no_spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codec = small("tcm")
    torch.save(codec.state_dict(), tmp_path / "ours.pth")
    for source, to, target in (("ours.pth", "authors", "theirs.pth"), ("theirs.pth", "canonical", "back.safetensors")):
        arguments = ["codecspec", "convert", str(tmp_path / source), "--to", to, "-o", str(tmp_path / target)]
        monkeypatch.setattr(sys, "argv", arguments)
        with pytest.raises(SystemExit) as caught:
            codecspec.main()
        assert not caught.value.code
    back = read_tensors(tmp_path / "back.safetensors")
    assert all(torch.equal(back[key], tensor) for key, tensor in codec.state_dict().items())
