"""Every model of the zoo is one graph for torch.compile; what codes is none of it, and works beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, fx

import codecspec as cs
from codecspec import BuildError, compile_spec, specs
from codecspec.compiler.checkpoints import read_manifest
from codecspec.runtime.codec import Codec
from tests.golden.golden_models import fill
from tests.runtime.small_codecs import GAIN, SMALL, images, small

THREE = {"widths": [8, 8, 8], "M": 24, "proportions": [1, 2, 3], "naf_width": 8}
FEWER: dict[str, dict[str, Any]] = {
    "cca": THREE,
    "cca-aux": THREE,
    "elic": {"groups": [4, 20]},
    "elic-chandelier": {"groups": [4, 8, 12]},
    "stf": {"depths": [1, 1, 1, 2], "slices": 2},
    "tcm": {"depths": [2, 1, 1, 1, 1, 1], "slices": 2},
    "wacnn": {"slices": 2},
}
"""Fewer layers and slices: a graph takes time for each."""


@pytest.fixture(autouse=True)
def _nothing_compiled_stays() -> Any:
    yield
    torch._dynamo.reset()


def shallow(name: str) -> Codec:
    """In the order of computing that torch.compile traces, whatever the numerics."""
    codec = compile_spec(name, numerics="reference", **{**SMALL[name], **FEWER.get(name, {})})
    fill(codec, GAIN[name])
    return codec


class Counting:
    """A backend that runs graphs as they are, and counts them."""

    def __init__(self) -> None:
        self.graphs = 0

    def __call__(self, graph: fx.GraphModule, inputs: list[Tensor]) -> Callable[..., Any]:
        self.graphs += 1
        return graph.forward


def flat(out: dict[str, Any]) -> dict[str, Tensor]:
    """What a forward gives, by one name each."""
    return {"x_hat": out["x_hat"], **out["likelihoods"], **out.get("aux_likelihoods", {})}


def assert_alike(found: dict[str, Any], expected: dict[str, Any]) -> None:
    pair = flat(found), flat(expected)
    assert pair[0].keys() == pair[1].keys()
    for key, values in pair[1].items():
        torch.testing.assert_close(
            pair[0][key], values, rtol=1e-5, atol=1e-5, msg=lambda text, key=key: f"{key}: {text}"
        )


@pytest.mark.slow
@pytest.mark.parametrize("name", specs.names())
def test_a_forward_is_one_graph(name: str) -> None:
    codec = shallow(name)
    x = images(1, 64, 64)
    with torch.inference_mode():
        assert_alike(torch.compile(codec, fullgraph=True, backend="aot_eager")(x), codec(x))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mbt2018-mean", "elic"])
def test_training_is_one_graph_forward_and_one_backward(name: str) -> None:
    codec = shallow(name).train()
    compiled = torch.compile(codec, fullgraph=True, backend="aot_eager")
    x = images(1, 64, 64)
    gradients = []
    for run in (codec, compiled):
        torch.manual_seed(1)
        codec.zero_grad()
        out = run(x)
        (out["x_hat"].square().mean() - sum(values.log().mean() for values in out["likelihoods"].values())).backward()
        gradients.append({key: p.grad.clone() for key, p in codec.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    assert len(gradients[0]) > 10
    for key, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][key], gradient, rtol=1e-4, atol=1e-5)


def test_the_first_sizes_alone_make_graphs() -> None:
    """One for the first size, one for any height, one for any width too; and these with padding."""
    codec = shallow("bmshj2018-factorized-relu")
    backend = Counting()
    compiled = torch.compile(codec, fullgraph=True, backend=backend)
    with torch.no_grad():
        for size in ((64, 64), (128, 64), (128, 192)):
            compiled(images(1, *size))
        made = backend.graphs
        assert made <= 3
        for size in ((192, 256), (256, 64), (320, 128)):
            assert_alike(compiled(images(1, *size)), codec(images(1, *size)))
        assert backend.graphs == made
        for size in ((100, 70), (90, 200), (65, 129)):
            assert_alike(compiled(images(1, *size)), codec(images(1, *size)))
        assert backend.graphs <= made + 2


def test_numerics_are_chosen_for_a_compiled_codec_too() -> None:
    codec = shallow("wacnn")
    compiled = torch.compile(codec, backend=Counting())
    compiled.numerics = "fast"
    assert codec.numerics == "fast"
    assert codec.g_a.fast


def test_a_compiled_codec_codes_as_the_codec_does(tmp_path: Path) -> None:
    """Nothing of that is compiled: the bits and the image are those of everybody else."""
    codec = small("mbt2018-mean")
    backend = Counting()
    compiled = torch.compile(codec, fullgraph=True, backend=backend)
    x = images(1, 64, 100)
    coded = compiled.compress(x)
    assert coded["strings"] == codec.compress(x)["strings"]
    assert torch.equal(compiled.decompress(**coded)["x_hat"], codec.decompress(**coded)["x_hat"])
    stream = cs.encode(compiled, x)
    assert stream == cs.encode(codec, x)
    assert torch.equal(cs.decode(compiled, stream), cs.decode(codec, stream))
    assert backend.graphs == 0
    cs.save(compiled, tmp_path / "a.safetensors")
    assert read_manifest(tmp_path / "a.safetensors").tensors().keys() == codec.state_dict().keys()
    assert torch.equal(cs.decode(cs.load(tmp_path / "a.safetensors"), stream), cs.decode(codec, stream))


def test_transforms_that_are_compiled_serve_when_coding() -> None:
    """Both ways of torch: in place, or a module around; a stream knows neither."""
    codec = small("mbt2018-mean")
    codec.numerics = "reference"
    x = images(1, 64, 64)
    stream = cs.encode(codec, x)
    expected = cs.decode(codec, stream)
    backend = Counting()
    codec.g_a.compile(fullgraph=True, backend=backend)
    codec.g_s = torch.compile(codec.g_s, fullgraph=True, backend=backend)
    assert cs.encode(codec, x) == stream
    assert torch.equal(cs.decode(codec, stream), expected)
    assert backend.graphs == 2


def test_what_codes_is_never_traced() -> None:
    """Even where someone compiles all of coding, there is no graph of it but of the networks."""
    codec = small("bmshj2018-hyperprior")
    codec.numerics = "reference"
    x = images(1, 64, 64)
    expected = codec.compress(x)
    graphs: list[fx.GraphModule] = []

    def keeping(graph: fx.GraphModule, inputs: list[Tensor]) -> Callable[..., Any]:
        graphs.append(graph)
        return graph.forward

    found = torch.compile(codec.compress, backend=keeping)(x)
    assert found == expected
    targets = {str(node.target) for graph in graphs for node in graph.graph.nodes if node.op.startswith("call")}
    assert any("conv" in target for target in targets)
    assert not any("numba" in target or "numpy" in target for target in targets)


def test_what_is_no_image_is_refused() -> None:
    codec = shallow("mbt2018-mean")
    compiled = torch.compile(codec, backend=Counting())
    with pytest.raises(BuildError, match="an image tensor is"):
        compiled(images(1, 64, 64)[0])
