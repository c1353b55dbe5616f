"""Statistics are what torch counts of the same codec: parameters, FLOP over two, and bytes that are alive at once."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import codecspec as cs
from codecspec import specs
from codecspec.compiler.dataflow import dataflow, held
from codecspec.compiler.kind import Lowering, Place, build_node
from codecspec.compiler.plan import AUX
from codecspec.schema import blocks, residual_blocks, support_transforms, transformer_blocks
from codecspec.schema.entropy_transform import EntropyTransformSpec
from codecspec.schema.fields import SpecModel
from codecspec.schema.source import SpecSource
from tests.compiler.live_tensors import LiveTensors, OnMeta

WIDTH, HEIGHT = 768, 512
PARTS = {
    "g_a": "g_a",
    "latent_codec.h_a": "hyper",
    "latent_codec.z": "hyper",
    "latent_codec.h_s": "hyper",
    "latent_codec.y": "context",
    "g_s": "g_s",
}


def on_meta(name: str) -> torch.nn.Module:
    """A zoo spec at its full size, which takes no memory there; without its auxiliary branch, and computing
    as published: what fast layers hold and multiply is their own affair."""
    codec = cs.compile_spec(name, device="meta", numerics="reference").eval()
    codec.aux_entropy_model = None
    return codec


def image() -> torch.Tensor:
    return torch.empty(1, 3, HEIGHT, WIDTH, device="meta")


@pytest.mark.parametrize("name", specs.names())
def test_macs_are_half_of_torchs_flop_to_a_percent(name: str) -> None:
    """In all, and of what an encoder runs (all but g_s) and a decoder (all but g_a and h_a)."""
    codec = on_meta(name)
    with OnMeta(), torch.no_grad(), FlopCounterMode(display=False) as counter:
        codec(image())
    unit = 2 * WIDTH * HEIGHT * 1e3
    total = counter.get_total_flops() / unit
    flops = {path.removeprefix("Codec."): sum(ops.values()) for path, ops in counter.get_flop_counts().items()}
    analysis = (flops["g_a"] + flops.get("latent_codec.h_a", 0)) / unit
    figures = cs.statistics(cs.lower(cs.load_spec(name)))
    assert figures.kmacs_per_pixel == pytest.approx(total, rel=0.01)
    assert figures.decoder_kmacs_per_pixel == pytest.approx(total - analysis, rel=0.01)
    assert figures.encoder_kmacs_per_pixel == pytest.approx(total - flops["g_s"] / unit, rel=0.01)
    assert figures.parameters == sum(parameter.numel() for parameter in codec.parameters())


def test_an_auxiliary_branch_stands_beside_the_totals() -> None:
    with_branch, without = (cs.statistics(cs.lower(cs.load_spec(name))) for name in ("cca-aux", "cca"))
    assert with_branch.parameters == without.parameters
    assert with_branch.kmacs_per_pixel == without.kmacs_per_pixel
    assert with_branch.activation_bytes == without.activation_bytes
    branch = cs.compile_spec("cca-aux", device="meta").get_submodule(AUX)
    assert with_branch.parameters_by_part["aux"] == sum(parameter.numel() for parameter in branch.parameters())
    assert "aux" not in without.parameters_by_part


@pytest.mark.parametrize("name", specs.names())
def test_activations_are_what_torch_holds(name: str) -> None:
    """What the plan leaves out (likelihoods that wait for the end, and what constants cost) makes torch's figure the
    larger one: by less than 8 percent at the peak."""
    codec = on_meta(name)
    live = LiveTensors(codec)

    def enter(part: str) -> None:
        live.part = part

    for path, part in PARTS.items():
        module = dict(codec.named_modules()).get(path)
        if module is not None:
            module.register_forward_pre_hook(lambda _module, _args, part=part: enter(part))
            module.register_forward_hook(lambda _module, _args, _out: enter(""))
    x = image()
    with OnMeta(), torch.no_grad(), live:
        codec(x + 0)
    figures = cs.statistics(cs.lower(cs.load_spec(name)), (WIDTH, HEIGHT))
    assert 1 <= max(live.peak.values()) / figures.activation_bytes < 1.08
    for part, planned in figures.activation_bytes_by_part.items():
        assert 1 <= live.peak[part] / planned < {"g_s": 1.08, "context": 1.8}.get(part, 1.02), part


GATE = {"type": "window_gate", "heads": 4, "window": 4}
BLOCKS: list[SpecModel] = [
    blocks.ConvSpec(type="conv", out=48, stride=2),
    blocks.DeconvSpec(type="deconv", out=48, stride=2),
    blocks.SubpelSpec(type="subpel", out=48, factor=2),
    blocks.GDNSpec(type="gdn"),
    blocks.GELUSpec(type="gelu"),
    residual_blocks.ResidualSpec(type="residual", out=64),
    residual_blocks.ResidualSpec(type="residual", out=48),
    residual_blocks.ResidualStrideSpec(type="residual_stride", out=48),
    residual_blocks.ResidualUpsampleSpec(type="residual_upsample", out=48),
    residual_blocks.ResidualBottleneckSpec(type="residual_bottleneck"),
    residual_blocks.AttentionSpec(type="attention"),
    blocks.WindowGateSpec(**GATE),
    blocks.WindowGateSpec(**(GATE | {"window": 8, "shift": 4})),
    transformer_blocks.ConvTransSpec(type="conv_trans", head_dim=16, window=4),
    transformer_blocks.ConvTransSpec(type="conv_trans", head_dim=8, window=8, shift=4),
    transformer_blocks.SwinSpec(type="swin", heads=2),
    transformer_blocks.SwinSpec(type="swin", heads=8, window=8, shift=4),
    transformer_blocks.PatchEmbedSpec(type="patch_embed", out=48),
    transformer_blocks.PatchMergeSpec(type="patch_merge"),
    transformer_blocks.PatchSplitSpec(type="patch_split"),
    blocks.NAFSpec(type="naf"),
    support_transforms.SWAttenSpec(type="sw_atten"),
    support_transforms.NAFTransformSpec(type="naf_transform"),
    EntropyTransformSpec(type="entropy_transform", widths=(224, 128), out=32),
    EntropyTransformSpec(type="entropy_transform", widths=(32, 64), out=256),
]


@pytest.mark.parametrize("spec", BLOCKS, ids=lambda spec: f"{spec.type}-{getattr(spec, 'window', '')}")
def test_a_block_holds_what_torch_holds(spec: SpecModel) -> None:
    channels, side = 64, 256
    node = Lowering(SpecSource()).lower(spec, Place("block", (), channels, Fraction(1)))
    module = build_node(node).to("meta").eval()
    live = LiveTensors(module)
    x = torch.empty(1, channels, side, side, device="meta")
    with torch.no_grad(), live:
        module(x + 0)
    assert live.peak[""] / side**2 / 4 == pytest.approx(float(node.held), rel=0.01)


def test_a_tensor_lives_to_its_last_reader() -> None:
    """mbt2018-mean at N = M = 2 by hand, in numbers per pixel."""
    steps = dataflow(cs.lower(cs.load_spec("mbt2018-mean", N=2, M=2)))
    figures = {step.path: float(numbers) for step, numbers in zip(steps, held(steps), strict=True)}
    assert figures["g_a.0"] == 3 + 2 / 4  # the image and what the first convolution gives
    assert figures["g_a.1"] == 3 + 3 * 2 / 4  # a GDN has its input, its norm and its output
    assert figures["latent_codec.h_a.0"] == 3 + (2 + 2) / 256  # y stays for its coding
    assert figures["latent_codec.h_s.0"] == pytest.approx(3 + 2 / 256 + 2 / 64**2 + 2 / 32**2)
    # A row of blocks keeps what it was given to its end, as PyTorch's frames do: here y_hat.
    assert figures["g_s.1"] == 3 + 2 / 256 + 3 * 2 / 64
    assert figures["g_s.5"] == 3 + 2 / 256 + 3 * 2 / 4
    assert [value.name for value in steps[-1].takes] == ["g_s.5"]
    assert steps[-1].gives.name == "x_hat"


def test_a_likelihood_holds_what_torch_holds() -> None:
    """Per sample of y: itself and its two parameters, what is decoded, and six of CompressAI's own."""
    codec = on_meta("mbt2018-mean")
    gaussian = codec.get_submodule("latent_codec.y.gaussian_conditional")
    plan = cs.lower(cs.load_spec("mbt2018-mean"))
    y = torch.empty(1, plan.root("g_a").c_out, HEIGHT // 16, WIDTH // 16, device="meta")
    live = LiveTensors(gaussian)
    with OnMeta(), torch.no_grad(), live:
        gaussian(y + 0, y + 0, y + 0)
    [step] = [step for step in dataflow(plan) if step.path == "latent_codec.y"]
    assert step.held is not None
    assert float(step.held * WIDTH * HEIGHT / y.numel()) == live.peak[""] / y.numel() / 4 == 10


def test_padding_counts() -> None:
    plan = cs.lower(cs.load_spec("mbt2018-mean"))
    odd, even = cs.statistics(plan, (700, 500)), cs.statistics(plan, (704, 512))
    assert odd.padded_size == even.padded_size == (704, 512)
    assert odd.activation_bytes == even.activation_bytes
    assert math.isclose(even.activation_bytes / (704 * 512), cs.statistics(plan).activation_bytes / (768 * 512))


@pytest.mark.parametrize("size", [(0, 5), (5, 70_000), (-1, 1)])
def test_no_such_image(size: tuple[int, int]) -> None:
    with pytest.raises(cs.UsageError, match="an image's sides are 1 to 65535 pixels"):
        cs.statistics(cs.lower(cs.load_spec("mbt2018")), size)
