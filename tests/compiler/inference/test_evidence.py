"""How each field is known: nothing that no weight tells is ever called proven, nothing that one tells is assumed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings

from codecspec import Inference, infer_spec, load_spec, lower, spec_hash
from codecspec.compiler.kinds import KINDS
from codecspec.compiler.layouts import load_layout
from codecspec.schema.fields import SpecModel
from tests.compiler.inference.manifests import canonical_infos, infos_in
from tests.properties.random_specs import specs
from tests.properties.test_infer import DRAWN, EXAMPLES, plan_of
from tests.runtime.small_codecs import SMALL

NEVER_TOLD: dict[str, set[str]] = {
    "conv": {"stride"},
    "deconv": {"stride"},
    "subpel": set(),
    "gdn": {"inverse"},
    "relu": {"type"},
    "leaky_relu": {"type", "slope"},
    "gelu": {"type"},
    "abs": {"type"},
    "residual": set(),
    "residual_stride": {"stride"},
    "residual_upsample": set(),
    "residual_bottleneck": set(),
    "attention": set(),
    "window_gate": {"shift"},
    "conv_trans": {"shift"},
    "swin": {"shift", "drop_path"},
    "patch_embed": set(),
    "patch_merge": set(),
    "patch_split": set(),
    "naf": set(),
    "sw_atten": set(),
    "naf_transform": set(),
    "sequence": set(),
    "hyperprior": set(),
    "factorized": set(),
    "dual": set(),
    "entropy_bottleneck": {"quantizer"},
    "channel_groups": set(),
    "mean_scale": {"emit_mean_support"},
    "channel_conv": set(),
    "entropy_transform": set(),
    "gaussian": {"quantizer", "chunks"},
    "lrp_gaussian": {"quantizer", "lrp_scale"},
    "checkerboard": {"quantizer", "chunks", "parity"},
    "raster_scan": {"chunks"},
    "cca": set(),
}
"""By kind, every field that no weight tells."""

SOMETIMES_TOLD = {
    ("residual_stride", "stride"),  # a block without a skip changes nothing
    ("gaussian", "chunks"),  # as many parameters as channels are scales alone, and a dual h_s has one order
    ("conv", "type"),  # as wide as it takes, it may be a transposed one
    ("deconv", "type"),
    ("subpel", "type"),  # by 1, it is a sequence of one convolution
    ("sequence", "type"),  # of one convolution, or of layers without tensors
    ("channel_groups", "support"),  # where no other slices come to the same channels
    ("channel_groups", "context"),
    ("cca", "support"),
}
"""Fields that tensors tell in some specs and not in others."""


def test_every_kind_is_in_the_table() -> None:
    assert NEVER_TOLD.keys() == KINDS.keys()


def fields_of(path: str, said: Any) -> Iterator[tuple[str, str, str]]:
    """(path, kind, field) of every field of a part of a spec that is not a node itself."""
    if isinstance(said, tuple):
        for i, item in enumerate(said):
            yield from fields_of(f"{path}.{i}", item)
    elif isinstance(said, SpecModel) and "type" in type(said).model_fields:
        tag = said.type  # type: ignore[attr-defined]
        for name in type(said).model_fields:
            value = getattr(said, name)
            inner = value if isinstance(value, tuple) and value and isinstance(value[0], SpecModel) else None
            if inner is not None or (isinstance(value, SpecModel) and "type" in type(value).model_fields):
                yield from fields_of(f"{path}.{name}", value)
            elif name != "count" or value is not None:
                yield f"{path}.{name}", tag, name


def all_fields(found: Inference) -> Iterator[tuple[str, str, str]]:
    for name in ("g_a", "g_s", "latent_codec"):
        yield from fields_of(name, getattr(found.spec, name))
    if found.spec.aux is not None:
        cca = found.spec.aux.cca
        yield "aux.cca.support", "cca", "support"
        yield from fields_of("aux.cca.context", cca.context)
        yield from fields_of("aux.cca.leaf", cca.leaf)


def assert_known_as_it_should_be(found: Inference) -> None:
    headless = "latent_codec.y.context." if _has_no_head(found) else "no such path"
    for path, tag, name in all_fields(found):
        told = [each for at, each in found.evidence.items() if at == path or at.startswith(f"{path}.")]
        assert told, f"{path}: no evidence"
        assumed = {each.status == "assumed" for each in told}
        if name in NEVER_TOLD[tag] and (tag, name) not in SOMETIMES_TOLD:
            assert assumed == {True}, f"{path}: {told}"
        elif (tag, name) not in SOMETIMES_TOLD and not path.startswith(headless) and not _may_be_nothing(found, path):
            assert assumed == {False}, f"{path}: {told}"
    assert all(not each.key or each.key in found.manifest for each in found.evidence.values())
    assert len(found.assumptions) == sum(each.status == "assumed" for each in found.evidence.values())


def _has_no_head(found: Inference) -> bool:
    return not any(key.startswith("latent_codec.y.channel_context") for key in found.plan.manifest())


def _may_be_nothing(found: Inference, path: str) -> bool:
    """Whether a field is of a sequence that has no tensors, and may as well be a layer without any."""
    if not path.startswith(("g_a", "g_s", "latent_codec.h_")):
        return False
    prefix = (
        path.rpartition(".")[0].replace(".blocks", "").replace(".mean.", ".h_mean_s.").replace(".scale.", ".h_scale_s.")
    )
    return not any(key.startswith(f"{prefix}.") for key in found.plan.manifest())


@pytest.mark.parametrize("name", sorted(SMALL))
def test_in_the_zoo(name: str) -> None:
    for params in ({}, SMALL[name]):
        found = infer_spec(canonical_infos(lower(load_spec(name, **params))))
        assert_known_as_it_should_be(found)
        assert {path for path in found.evidence if path.startswith("params.")} == {f"params.{p}" for p in found.params}


@settings(DRAWN, max_examples=EXAMPLES // 4)
@given(specs())
def test_in_drawn_specs(written: dict[str, Any]) -> None:
    assert_known_as_it_should_be(infer_spec(canonical_infos(plan_of(written))))


def evidence_in(name: str, **params: Any) -> Inference:
    return infer_spec(infos_in(None, lower(load_spec(name, **params))))


def test_the_key_and_the_shape_that_say_so() -> None:
    found = infer_spec(infos_in(load_layout("authors-tcm"), lower(load_spec("tcm", N=64))))
    heads = found.evidence["g_a.1.head_dim"]
    assert (heads.status, heads.key, heads.value) == ("proven", "g_a.1.trans_block.msa.relative_position_params", 8)
    assert heads.shape == (225, 8)
    n = found.evidence["params.N"]
    assert (n.status, n.value) == ("derived", 64)
    assert n.key in found.manifest


def test_filters_that_see_as_much_are_named() -> None:
    found = evidence_in("wacnn")
    support = found.evidence["latent_codec.y.support"]
    assert support.status == "assumed"
    assert any("recent" in other for other in support.alternatives)
    assert found.evidence["latent_codec.y.context.emit_mean_support"].status == "assumed"


def test_before_or_after_a_transform_is_named() -> None:
    emitted = evidence_in("tcm", **SMALL["tcm"]).evidence["latent_codec.y.context.emit_mean_support"]
    assert (emitted.status, emitted.value, emitted.alternatives) == ("assumed", "post", ("pre",))


def test_convolutions_of_equal_width_are_named() -> None:
    found = evidence_in("bmshj2018-hyperprior")
    kind = found.evidence["g_a.2.type"]
    assert (kind.status, kind.value, kind.alternatives) == ("assumed", "conv", ("deconv",))
    assert found.evidence["g_a.0.type"].status == "proven"


def test_what_is_dropped_is_unused() -> None:
    found = infer_spec(infos_in(load_layout("authors-wacnn"), lower(load_spec("wacnn"))))
    assert len(found.unused) == 4
    assert all(key.endswith("relative_position_index") for key in found.unused)


def test_a_spec_of_nobody_says_what_it_took() -> None:
    mapping = {"codecspec": 1, "extends": "wacnn", "name": "mine", "params": SMALL["wacnn"],
               "g_s": [{"type": "residual_upsample", "out": 16}, {"type": "residual_upsample", "out": 16},
                       {"type": "residual_upsample", "out": 16}, {"type": "subpel", "out": 3}]}  # fmt: skip
    plan = lower(load_spec(mapping))
    found = infer_spec(canonical_infos(plan))
    assert (found.family, found.layout, found.is_certain) == (None, "canonical", False)
    assert spec_hash(lower(load_spec({**mapping, "name": "other"})).spec) == spec_hash(plan.spec)
    assert found.assumptions
    assert (
        "latent_codec.h_a.1.type: gelu, assumed; the same tensors allow: any layer without tensors" in found.assumptions
    )
