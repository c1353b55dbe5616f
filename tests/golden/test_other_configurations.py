"""Nothing is fixed to the published sizes: at other configurations too the authors' checkpoints, written down
independently, load strictly, go back bit for bit, code, and give the numbers of the authors' networks, written down
independently."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from codecspec.compiler.convert import from_canonical
from codecspec.compiler.layouts import load_layout
from codecspec.compiler.lower import lower
from codecspec.compiler.saved_model import with_weights
from codecspec.schema.load import load_spec
from tests.golden import authors_keys, authors_networks, golden_models
from tests.golden.authors_keys import Shapes
from tests.runtime.small_codecs import images

PUBLISHED: dict[str, Callable[[], Shapes]] = {
    "wacnn": authors_keys.wacnn,
    "stf": authors_keys.stf,
    "tcm": lambda: authors_keys.tcm(64),
    "cca": lambda: authors_keys.cca([8, 28, 56, 92, 136]),
}

CCA_SMALL: dict[str, Any] = {"widths": [12, 16, 20], "bottlenecks": 1, "nafs": 1, "naf_width": 16, "naf_depth": 1}

OTHERS: list[tuple[str, dict[str, Any], Shapes]] = [
    ("stf", {"depths": [1, 3, 2, 1], "heads": [2, 4, 8, 16], "window": 8},
     authors_keys.stf([1, 3, 2, 1], [2, 4, 8, 16], window=8)),
    ("stf", {"depths": [2, 1, 1, 2], "heads": [1, 3, 3, 6], "window": 5, "patch": 4, "mlp_ratio": 2},
     authors_keys.stf([2, 1, 1, 2], [1, 3, 3, 6], 5, 4, 2)),
    ("tcm", {"N": 96}, authors_keys.tcm(96)),
    ("tcm", {"N": 32, "depths": [3, 1, 2, 1, 2, 1], "head_dims": [4, 8, 16, 32, 2, 1], "slices": 10},
     authors_keys.tcm(32, [3, 1, 2, 1, 2, 1], [4, 8, 16, 32, 2, 1], 10)),
    ("tcm", {"N": 64, "slices": 4}, authors_keys.tcm(64, slices=4)),
    ("cca", {**CCA_SMALL, "proportions": [1, 1.7, 3.2, 4.9]},
     authors_keys.cca([1, 1.7, 3.2, 4.9], **CCA_SMALL, aux=False)),
    ("cca-aux", {**CCA_SMALL, "proportions": [i**1.7 for i in range(1, 6)], "M": 96, "naf_depth": 3},
     authors_keys.cca([i**1.7 for i in range(1, 6)], m=96, **{**CCA_SMALL, "naf_depth": 3})),
    ("cca-aux", {**CCA_SMALL, "proportions": [4], "M": 64, "aux_lrps": "slices"},
     authors_keys.cca([4], m=64, aux_lrps=4, **CCA_SMALL)),
    ("cca-aux", {"widths": [12, 16], "M": 40, "bottlenecks": 2, "nafs": 0, "proportions": [3, 1], "naf_width": 10},
     authors_keys.cca([3, 1], [12, 16], 40, 2, 0, naf_width=10)),
]  # fmt: skip
IDS = [f"{name}-{i}" for i, (name, *_) in enumerate(OTHERS)]


def network(name: str, params: dict[str, Any], state: dict[str, Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """What the authors' network gives, in float64: x_hat, and the likelihoods of y (those of y_cca after them)."""
    double = {key: tensor.double() if tensor.is_floating_point() else tensor for key, tensor in state.items()}
    if name == "tcm":
        return authors_networks.tcm(double, x, head_dims=params.get("head_dims", [8, 16, 32, 32, 16, 8]))
    if name == "stf":
        window, patch, heads = params.get("window", 4), params.get("patch", 2), params.get("heads", [3, 6, 12, 24])
        return authors_networks.stf(double, x, window=window, patch=patch, heads=heads)
    return authors_networks.cca(double, x)


def bits_per_channel(likelihoods: Tensor) -> Tensor:
    return -likelihoods.log2().sum(dim=(0, 2, 3))


def relative_position_index(window: int) -> list[int]:
    """For each pair of positions of a window, row by row: its row in a table of (2w-1)^2."""
    rows, columns = np.divmod(np.arange(window**2), window)
    down, right = (axis[:, None] - axis[None, :] + window - 1 for axis in (rows, columns))
    return [int(index) for index in (down * (2 * window - 1) + right).flatten()]


def checkpoint(name: str, shapes: Shapes) -> dict[str, Tensor]:
    """Weights by the formula; buffers are those of the published sizes, but for the window's index."""
    golden = golden_models.read(name.removesuffix("-aux"))
    published = {_end(key): (golden["state_dict"][key][0], values) for key, values in golden["buffers"].items()}
    state: dict[str, tuple[str, list[int]]] = {}
    buffers: dict[str, Any] = {}
    for key, shape in shapes.items():
        dtype, values = published.get(_end(key), ("float32", None))
        if key.endswith(".relative_position_index"):
            dtype, values = "int64", relative_position_index(math.isqrt(shape[0]))
        state[key] = (dtype, shape)
        if values is not None:
            buffers[key] = values
    return golden_models.state_dict({**golden, "state_dict": state, "buffers": buffers})


def _end(key: str) -> tuple[str, ...]:
    """What a buffer is called inside its block."""
    return tuple(key.split(".")[-3:])


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_at_the_published_sizes_the_keys_are_the_goldens(name: str) -> None:
    golden = golden_models.read(name)
    assert PUBLISHED[name]() == {key: shape for key, (_, shape) in golden["state_dict"].items()}


@pytest.mark.golden
@pytest.mark.parametrize("name", ["stf", "tcm", "cca"])
def test_at_the_published_sizes_the_numbers_are_the_goldens(name: str) -> None:
    golden = golden_models.read(name)
    want = golden["outputs"]
    with torch.no_grad():
        x_hat, likelihoods = network(name, {}, golden_models.state_dict(golden), golden_models.image(golden))
    bits = bits_per_channel(likelihoods)
    channels = len(want["y_bits_per_channel"])
    torch.testing.assert_close(bits[:channels].tolist(), want["y_bits_per_channel"], rtol=1e-6, atol=0)
    if "aux_bits" in want:
        assert bits[channels:].sum().item() == pytest.approx(want["aux_bits"]["y_cca"], rel=1e-6)
    flat = x_hat.flatten()
    sample = [flat[(i * (flat.numel() - 1)) // 63].item() for i in range(64)]
    torch.testing.assert_close(sample, want["x_hat"]["sample"], rtol=0, atol=1e-6)


@pytest.mark.golden
@pytest.mark.parametrize(("name", "params", "shapes"), OTHERS, ids=IDS)
def test_other_configurations_load_go_back_and_give_the_numbers(
    name: str, params: dict[str, Any], shapes: Shapes
) -> None:
    theirs = checkpoint(name, shapes)
    codec, conversion = with_weights(lower(load_spec(name, **params)), theirs)
    assert (conversion.layout, conversion.left_out) == ("authors", ())
    back = from_canonical(codec.state_dict(), load_layout(f"authors-{name.removesuffix('-aux')}")).tensors
    assert back.keys() == theirs.keys()
    assert all(torch.equal(back[key], tensor) and back[key].dtype == tensor.dtype for key, tensor in theirs.items())

    x = images(1, 100, 76)
    with torch.no_grad():
        assert torch.equal(codec.decompress(**codec.compress(x))["x_hat"], codec(x)["x_hat"].clamp(0, 1))

    codec.double()
    x = golden_models.image({"input": {"height": 128, "width": 256}})
    with torch.no_grad():
        out = codec(x)
        x_hat, likelihoods = network(name, params, theirs, x)
    ours = [out["likelihoods"]["y"], *(p for key, p in out.get("aux_likelihoods", {}).items() if key == "y_cca")]
    torch.testing.assert_close(
        bits_per_channel(torch.cat(ours, dim=1)), bits_per_channel(likelihoods), rtol=1e-6, atol=0
    )
    torch.testing.assert_close(out["x_hat"], x_hat, rtol=0, atol=1e-6)
    assert likelihoods.unique().numel() > 1000
    assert x_hat.std() > 0.01
