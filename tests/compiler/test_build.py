"""The module is what the plan says, and costs what was promised."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from compressai.entropy_models import EntropyBottleneck, GaussianConditional
from compressai.layers import GDN
from compressai.models import CompressionModel
from torch import nn

from codecspec import compile_spec, load_spec, lower, specs
from codecspec.compiler.build import build
from codecspec.compiler.plan import Plan
from codecspec.schema.errors import BuildError
from tests.runtime.small_codecs import SMALL

CLASSES: dict[str, type[nn.Module]] = {
    "conv": nn.Conv2d, "deconv": nn.ConvTranspose2d, "gdn": GDN, "sequence": nn.Sequential, "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU, "gelu": nn.GELU, "subpel": nn.Sequential,
}  # fmt: skip


@pytest.mark.parametrize("name", specs.names())
def test_a_nodes_path_is_its_modules_path(name: str) -> None:
    plan = lower(load_spec(name))
    codec = build(plan, device="meta")
    assert isinstance(codec, CompressionModel)
    for node in plan.walk():
        module = codec.get_submodule(node.path)
        assert isinstance(module, CLASSES.get(node.kind, nn.Module)), node.path
        own = {key for key in module.state_dict() if f"{node.path}.{key}" in plan.manifest()}
        assert set(node.tensors) <= own


@pytest.mark.parametrize("name", specs.names())
def test_on_meta_nothing_is_allocated(name: str) -> None:
    codec = compile_spec(name, device="meta")
    assert {tensor.device.type for tensor in codec.state_dict().values()} == {"meta"}


def test_a_module_that_differs_from_its_plan_is_an_error() -> None:
    plan = lower(load_spec("mbt2018-mean", **SMALL["mbt2018-mean"]))
    g_a = plan.root("g_a")
    first = g_a.children[0]
    first.tensors["scale"] = first.tensors.pop("bias")
    with pytest.raises(BuildError, match="planned, and not in the module") as caught:
        build(Plan(plan.spec, plan.roots))
    assert {problem.where for problem in caught.value.problems} == {"g_a.0.bias", "g_a.0.scale"}


def test_initial_weights_are_those_of_each_module() -> None:
    torch.manual_seed(0)
    codec = compile_spec("wacnn", **SMALL["wacnn"])
    torch.manual_seed(0)
    again = compile_spec("wacnn", **SMALL["wacnn"])
    assert all(torch.equal(a, b) for a, b in zip(codec.parameters(), again.parameters(), strict=True))
    assert torch.equal(codec.g_a[1].beta, GDN(16).beta)
    bottleneck = codec.latent_codec.z.entropy_bottleneck
    assert torch.equal(bottleneck.quantiles, EntropyBottleneck(192).quantiles)
    assert sum(isinstance(module, GaussianConditional) for module in codec.modules()) == 5
    assert not codec.training


def test_other_dtypes_and_copies() -> None:
    from copy import deepcopy

    codec = compile_spec("wacnn", **SMALL["wacnn"]).double()
    x = torch.rand(1, 3, 40, 56, dtype=torch.float64)
    copied = deepcopy(codec)
    with torch.no_grad():
        x_hat = codec(x)["x_hat"]
        assert torch.equal(copied(x)["x_hat"], x_hat)
    assert x_hat.dtype == torch.float64
    assert torch.equal(codec.decompress(**codec.compress(x))["x_hat"], x_hat.clamp(0, 1))


MEASURE = """
import resource, time
import codecspec as cs
import codecspec.runtime.codec, codecspec.runtime.latent_codecs.channel_groups, codecspec.runtime.layers.window_gate
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.process_time()
net = cs.compile_spec("wacnn", device="meta")
print(time.process_time() - start, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def test_a_meta_codec_takes_no_weight_memory() -> None:
    """WACNN's weights are 300 MB. The time has a wide margin here; benchmarks measure it."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", MEASURE], capture_output=True, text=True, check=True, cwd="/"
    )
    seconds, grown_mb = map(float, done.stdout.split())
    assert grown_mb < 20
    assert seconds < 5
