"""The plan against independent arithmetic: parameters, work, strides and keys; and the kinds by their names."""

from __future__ import annotations

import pkgutil
from fractions import Fraction
from itertools import pairwise
from typing import get_args

import pytest

from codecspec.compiler import kinds
from codecspec.compiler.kinds import KINDS
from codecspec.compiler.lower import lower
from codecspec.compiler.plan import PARTS, Plan, TensorPlan
from codecspec.schema.fields import SpecModel
from codecspec.schema.load import load_spec, parse_spec
from tests.schema.bad_spec import GROUPS, TINY, spoilt

N, M, Z, SLICE = 192, 320, 192, 32
HIDDEN = [224, 176, 128, 64]
H_A = [(320, 320, 1), (320, 288, 1), (288, 256, 2), (256, 224, 1), (224, 192, 2)]
"""Channels in, out, stride."""
H_S = [(192, 192, 1), (192, 224, 2), (224, 256, 1), (256, 288, 2), (288, 320, 1)]
"""Channels in, out, factor."""


@pytest.fixture(scope="module")
def wacnn() -> Plan:
    return lower(load_spec("wacnn"))


def _conv(c_in: int, c_out: int, kernel: int) -> int:
    return c_in * c_out * kernel**2 + c_out


def _gdn(channels: int) -> int:
    return channels + channels**2


def _gate(c: int, window: int, heads: int = 8) -> int:
    unit = _conv(c, c // 2, 1) + _conv(c // 2, c // 2, 3) + _conv(c // 2, c, 1)
    attention = _conv(c, 3 * c, 1) + _conv(c, c, 1) + (2 * window - 1) ** 2 * heads
    return 6 * unit + attention + _conv(c, c, 1)


def _gate_macs(c: int, window: int) -> int:
    """Per position: six units, qkv, projection, scores and their use, the 1x1 convolution."""
    return 6 * (c**2 // 2 + 9 * c**2 // 4 + c**2 // 2) + 3 * c**2 + c**2 + 2 * window**2 * c + c**2


def _nets(k: int) -> list[list[int]]:
    """Channels through the nets of slice k: the means, the scales, the LRP."""
    support = M + SLICE * min(k, 5)
    return [[support, *HIDDEN, SLICE], [support, *HIDDEN, SLICE], [support + SLICE, *HIDDEN, SLICE]]


def _steps(widths: list[int]) -> list[tuple[int, int]]:
    return list(pairwise(widths))


def test_parameters_of_wacnn(wacnn: Plan) -> None:
    convs = _conv(3, N, 5) + 2 * _conv(N, N, 5) + _conv(N, M, 5)
    deconvs = _conv(M, N, 5) + 2 * _conv(N, N, 5) + _conv(N, 3, 5)
    rest = 3 * _gdn(N) + _gate(N, 8) + _gate(M, 4)
    density = Z * ((3 + 9 + 9 + 9 + 3) + (4 * 3 + 1) + 4 * 3 + 3)
    h_s = sum(_conv(c_in, c_out * factor**2, 3) for c_in, c_out, factor in H_S)
    hyper = sum(_conv(c_in, c_out, 3) for c_in, c_out, _ in H_A) + 2 * h_s + density
    context = sum(_conv(*step, 3) for k in range(10) for net in _nets(k) for step in _steps(net))
    expected = {"g_a": convs + rest, "hyper": hyper, "context": context, "g_s": deconvs + rest}
    assert wacnn.parameters_by_part() == expected
    assert wacnn.parameters == sum(expected.values()) == 75_235_779


def test_macs_of_wacnn(wacnn: Plan) -> None:
    y = Fraction(1, 256)
    levels = Fraction(3 * N * 25 + N * N, 4) + Fraction(N * N * 25 + N * N, 16) + Fraction(N * N * 25 + N * N, 64)
    transform = levels + N * M * 25 * y + Fraction(_gate_macs(N, 8), 16) + _gate_macs(M, 4) * y
    h_a, scale = Fraction(0), y
    for c_in, c_out, stride in H_A:
        scale /= stride**2
        h_a += c_in * c_out * 9 * scale
    h_s = Fraction(0)
    for c_in, c_out, factor in H_S:
        h_s += c_in * c_out * factor**2 * 9 * scale
        scale *= factor**2
    context = sum(a * b * 9 * y for k in range(10) for net in _nets(k) for a, b in _steps(net))
    assert scale == y
    assert wacnn.macs_by_part() == {"g_a": transform, "hyper": h_a + 2 * h_s, "context": context, "g_s": transform}


def test_parts_are_all_there_is(wacnn: Plan) -> None:
    assert tuple(wacnn.macs_by_part()) == PARTS
    assert sum(root.total_macs for root in wacnn.roots) == sum(wacnn.macs_by_part().values())


def test_parameters_of_the_small_spec() -> None:
    plan = lower(parse_spec(TINY))
    assert plan.parameters_by_part() == {
        "g_a": _conv(3, 8, 5) + _gdn(8) + _conv(8, 16, 5),
        "hyper": _conv(16, 8, 3) + _conv(8, 32, 3) + 8 * 61,
        "context": 0,
        "g_s": _conv(16, 8, 5) + _gdn(8) + _conv(8, 3 * 4, 3),
    }


@pytest.mark.parametrize(("name", "stride"), [("wacnn", 64), ("bmshj2018-hyperprior", 64), ("mbt2018-mean", 64)])
def test_stride_of_the_zoo(name: str, stride: int) -> None:
    assert lower(load_spec(name)).stride == stride


def test_strides_that_do_not_divide_each_other() -> None:
    text = TINY.replace("out: M, kernel: 5, stride: 2", "out: M, kernel: 5, stride: 3").replace(
        "factor: 2", "factor: 3"
    )
    plan = lower(
        parse_spec(
            spoilt("h_a: [", "h_a: [{type: conv, out: N, stride: 5}, ", text).replace(
                "h_s: [", "h_s: [{type: deconv, out: N, stride: 5}, "
            )
        )
    )
    assert plan.root("g_a").scale_out == Fraction(1, 6)
    assert plan.stride == 60


def test_manifest_of_wacnn(wacnn: Plan) -> None:
    manifest = wacnn.manifest()
    anchors = {
        "g_a.0.weight": TensorPlan((192, 3, 5, 5)),
        "g_a.1.gamma": TensorPlan((192, 192)),
        "g_a.1.beta_reparam.pedestal": TensorPlan((1,), "buffer"),
        "g_a.4.conv_b.0.attn.relative_position_bias_table": TensorPlan((225, 8)),
        "g_a.8.conv_a.2.conv.4.weight": TensorPlan((320, 160, 1, 1)),
        "g_s.8.weight": TensorPlan((192, 3, 5, 5)),
        "latent_codec.h_a.8.bias": TensorPlan((192,)),
        "latent_codec.h_s.h_mean_s.2.0.weight": TensorPlan((896, 192, 3, 3)),
        "latent_codec.h_s.h_scale_s.8.bias": TensorPlan((320,)),
        "latent_codec.z.entropy_bottleneck.quantiles": TensorPlan((192, 1, 3)),
        "latent_codec.z.entropy_bottleneck._quantized_cdf": TensorPlan((0,), "table", "int32"),
        "latent_codec.y.channel_context.y0.mean_cc.0.weight": TensorPlan((224, 320, 3, 3)),
        "latent_codec.y.channel_context.y3.scale_cc.0.weight": TensorPlan((224, 416, 3, 3)),
        "latent_codec.y.channel_context.y9.mean_cc.8.weight": TensorPlan((32, 64, 3, 3)),
        "latent_codec.y.latent_codec.y9.lrp_transform.0.weight": TensorPlan((224, 512, 3, 3)),
        "latent_codec.y.latent_codec.y0.gaussian_conditional.scale_table": TensorPlan((0,), "table"),
    }
    assert len(manifest) == 644
    assert {key: manifest.get(key) for key in anchors} == anchors


def test_head_widths_follow_the_support() -> None:
    plan = lower(parse_spec(spoilt("{filter: first, max: 2}", "{slices: [[], [], [1, 0], [2]]}", GROUPS)))
    heads = [plan.manifest()[f"latent_codec.y.channel_context.y{k}.mean_cc.0.weight"].shape[1] for k in range(4)]
    assert heads == [16, 16, 24, 20]


def test_leaves_by_slice() -> None:
    leaves = "leaf: [{type: gaussian, count: 1}, {type: lrp_gaussian, widths: []}]"
    plan = lower(parse_spec(spoilt("leaf: {type: lrp_gaussian, widths: [8]}", leaves, GROUPS)))
    nodes = {node.path: node for node in plan.walk()}
    assert [nodes[f"latent_codec.y.latent_codec.y{k}"].kind for k in range(4)] == ["gaussian", *3 * ["lrp_gaussian"]]
    assert "latent_codec.y.latent_codec.y0.lrp_transform" not in nodes
    assert nodes["latent_codec.y.latent_codec.y1.lrp_transform"].tensors == {
        "0.weight": TensorPlan((4, 16 + 4 + 4, 3, 3)),
        "0.bias": TensorPlan((4,)),
    }


def test_paths_are_unique_and_lead_to_their_nodes(wacnn: Plan) -> None:
    nodes = list(wacnn.walk())
    assert len({node.path for node in nodes}) == len(nodes)
    assert all(
        child.path == f"{node.path}.{child.path[len(node.path) + 1 :]}" for node in nodes for child in node.children
    )
    y = wacnn.root("latent_codec").child("y")
    assert y.child("latent_codec.y3").kind == "lrp_gaussian"
    assert y.child("channel_context.y3").name == "y3"


def test_a_kind_file_is_named_after_its_tag() -> None:
    files = {module.name for module in pkgutil.iter_modules(kinds.__path__)}
    assert files == set(KINDS)
    assert {tag: type(kind).__module__ for tag, kind in KINDS.items()} == {
        tag: f"codecspec.compiler.kinds.{tag}" for tag in KINDS
    }


def test_every_tag_of_the_schema_has_a_kind() -> None:
    tagged = [cls for cls in _subclasses(SpecModel) if "type" in cls.model_fields]
    tags = {get_args(cls.model_fields["type"].annotation)[0] for cls in tagged}
    assert len(tagged) > 15
    assert tags == set(KINDS)
    assert all(issubclass(cls, tuple(kind.spec_type for kind in KINDS.values())) for cls in tagged)


def _subclasses(cls: type[SpecModel]) -> list[type[SpecModel]]:
    return [cls, *(below for direct in cls.__subclasses__() for below in _subclasses(direct))]
