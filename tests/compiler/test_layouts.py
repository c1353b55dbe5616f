"""Layouts account for every tensor, and go there and back bit for bit."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from codecspec import compile_spec, specs
from codecspec.compiler.convert import from_canonical, to_canonical
from codecspec.compiler.layouts import CANONICAL, Layout, LayoutSpec, layouts, load_layout, today_names
from codecspec.compiler.lower import lower
from codecspec.schema.errors import CheckpointError, LayoutError
from codecspec.schema.load import load_spec
from tests.runtime.small_codecs import SMALL, small

PAIRS = [(layout, family) for layout in layouts() for family in layout.families]


def exported(layout: Layout, family: str) -> dict[str, Tensor]:
    return dict(from_canonical(small(family).state_dict(), layout).tensors)


@pytest.fixture
def wacnn() -> dict[str, Tensor]:
    """A small WACNN checkpoint in its authors' layout."""
    return exported(load_layout("authors-wacnn"), "wacnn")


def small_plan(name: str):
    return lower(load_spec(name, **SMALL[name]))


def test_every_layout_file_is_a_layout_of_a_zoo_spec() -> None:
    assert len(PAIRS) >= 3
    assert {family for _, family in PAIRS} <= set(specs.names())


def test_the_published_models_have_the_layouts_that_their_checkpoints_come_in() -> None:
    """The authors' own, CompressAI 1.2's or both, and the containers of CompressAI after it."""
    found = {name: sorted(layout.name for layout, family in PAIRS if family == name) for name in specs.names()}
    assert {name: layouts for name, layouts in found.items() if layouts != ["compressai-1.2"]} == {
        "cca": ["authors", "compressai"],
        "cca-aux": ["authors", "compressai"],
        "elic": ["compressai", "compressai-1.2"],
        "elic-chandelier": ["compressai", "compressai-1.2"],
        "stf": ["authors", "compressai"],
        "tcm": ["authors", "compressai"],
        "wacnn": ["authors", "compressai"],
    }


@pytest.mark.parametrize(("layout", "family"), PAIRS, ids=lambda p: p.file if isinstance(p, Layout) else p)
@pytest.mark.parametrize("prepared", [True, False], ids=["tables filled", "tables empty"])
def test_there_and_back_is_the_identity(layout: Layout, family: str, prepared: bool) -> None:
    codec = small(family)
    if prepared:
        codec.prepare_tables()
    canonical = codec.state_dict()
    there = from_canonical(canonical, layout).tensors
    back = to_canonical(there, small_plan(family))
    assert back.layout == (CANONICAL if there.keys() == canonical.keys() else layout.name)
    assert back.tensors.keys() == canonical.keys()
    assert all(torch.equal(back.tensors[key], tensor) for key, tensor in canonical.items())
    again = from_canonical(back.tensors, layout).tensors
    assert again.keys() == there.keys()
    assert all(torch.equal(again[key], tensor) and again[key].dtype == tensor.dtype for key, tensor in there.items())


def test_the_report_accounts_for_every_tensor(wacnn: dict[str, Tensor]) -> None:
    conversion = to_canonical(wacnn, small_plan("wacnn"))
    dropped = [line for line in conversion.report if "dropped" in line]
    assert len(dropped) == 4
    assert all("relative_position_index" in line for line in dropped)
    num_leaves = SMALL["wacnn"]["slices"]
    fanned = 7 * (num_leaves - 1)
    assert f"{len(wacnn) - 4 + fanned} tensors moved" in conversion.report


def test_older_names_of_a_bottleneck_are_accepted_and_said(wacnn: dict[str, Tensor]) -> None:
    def old(key: str) -> str:
        for now, then in (("matrices.", "_matrix"), ("biases.", "_bias"), ("factors.", "_factor")):
            key = key.replace(f"entropy_bottleneck.{now}", f"entropy_bottleneck.{then}")
        return key

    conversion = to_canonical({old(key): tensor for key, tensor in wacnn.items()}, small_plan("wacnn"))
    assert conversion.report[0] == "14 tensors of a bottleneck under their older names"
    reference = to_canonical(wacnn, small_plan("wacnn")).tensors
    assert all(torch.equal(conversion.tensors[key], tensor) for key, tensor in reference.items())
    assert today_names(["a._matrix", "b._matrix0"]) == {"b._matrix0": "b.matrices.0"}


Change = Callable[[dict[str, Tensor]], None]


@pytest.mark.parametrize(
    ("change", "where", "message"),
    [
        (lambda t: t.pop("g_a.0.weight"), "g_a.0.weight", "missing"),
        (lambda t: t.pop("h_mean_s.2.0.bias"), "latent_codec.h_s.h_mean_s.2.0.bias", "missing"),
        (lambda t: t.update({"extra.bias": torch.zeros(1)}), "extra.bias", "left over"),
        (lambda t: t.update({"h_a.99.bias": torch.zeros(1)}), "h_a.99.bias", "left over"),
        (
            lambda t: t.update({"g_a.0.bias": torch.zeros(5)}),
            "g_a.0.bias",
            r"of shape \[5\], and the model needs \[16\]",
        ),
        (lambda t: t.update({"g_a.0.bias": torch.zeros(16, dtype=torch.int32)}), "g_a.0.bias", "of type int32"),
    ],
)
def test_what_does_not_fit_is_named(wacnn: dict[str, Tensor], change: Change, where: str, message: str) -> None:
    change(wacnn)
    with pytest.raises(CheckpointError, match=message) as caught:
        to_canonical(wacnn, small_plan("wacnn"))
    assert where in [problem.where for problem in caught.value.problems]
    assert all(problem.code == "E-tensors" for problem in caught.value.problems)


def test_everything_that_does_not_fit_is_named_at_once(wacnn: dict[str, Tensor]) -> None:
    del wacnn["g_a.0.weight"], wacnn["lrp_transforms.1.0.bias"]
    wacnn["g_s.8.bias"] = torch.zeros(9)
    wacnn["extra.bias"] = torch.zeros(1)
    with pytest.raises(CheckpointError, match="missing") as caught:
        to_canonical(wacnn, small_plan("wacnn"))
    assert sorted(problem.where for problem in caught.value.problems) == [
        "extra.bias",
        "g_a.0.weight",
        "g_s.8.bias",
        "latent_codec.y.latent_codec.y1.lrp_transform.0.bias",
    ]


def test_a_derived_tensor_is_dropped_only_if_it_is_what_it_should_be(wacnn: dict[str, Tensor]) -> None:
    key = "g_a.4.conv_b.0.attn.relative_position_index"
    wacnn[key] = wacnn[key].flip(0)
    with pytest.raises(LayoutError, match="cannot be dropped") as caught:
        to_canonical(wacnn, small_plan("wacnn"))
    assert caught.value.where == key


def test_copies_that_differ_do_not_become_one() -> None:
    codec = small("wacnn")
    codec.prepare_tables()
    state = codec.state_dict()
    key = "latent_codec.y.latent_codec.y3.gaussian_conditional.scale_bound"
    state[key] = state[key] * 2
    with pytest.raises(LayoutError, match="both would become gaussian_conditional.scale_bound") as caught:
        from_canonical(state, load_layout("authors-wacnn"))
    assert caught.value.where == key


def test_a_tensor_without_a_place_is_named() -> None:
    with pytest.raises(LayoutError, match="has no place for it") as caught:
        from_canonical({**compile_spec("wacnn", **SMALL["wacnn"]).state_dict(), "aux.x": torch.zeros(1)},
                       load_layout("authors-wacnn"))  # fmt: skip
    assert [problem.where for problem in caught.value.problems] == ["aux.x"]


def layout_of(*rules: dict[str, str]) -> Layout:
    return Layout(LayoutSpec.model_validate({"layout": "x", "families": [], "rules": rules}), "x")


def test_two_tensors_with_one_name_are_refused() -> None:
    layout = layout_of({"from": "a.{k}", "to": "c.{k}"}, {"from": "b.{k}", "to": "c.{k}"})
    with pytest.raises(LayoutError, match="two tensors would get this key"):
        layout.to_canonical(["a.0", "b.0"])


@pytest.mark.parametrize(
    "rule",
    [
        {"from": "a.{k}.{i}", "to": "b.{k}"},
        {"from": "a", "to": "b.{k}"},
        {"from": "a", "to": "b.{k}", "for_each": "c.{j}"},
        {"from": "a.{k}", "to": "b.{k}", "for_each": "c.{k}"},
    ],
)
def test_rules_that_cannot_be_inverted_are_refused(rule: dict[str, str]) -> None:
    with pytest.raises(LayoutError, match="both sides need the same fields"):
        layout_of(rule)


def test_no_such_layout() -> None:
    with pytest.raises(LayoutError, match="no such layout") as caught:
        load_layout("authors-wacn")
    assert caught.value.hint == "did you mean 'authors-wacnn'?"


def test_tcm_in_compressais_containers_has_an_identity_for_each_attention() -> None:
    """1397 tensors at the published size: 38 attentions gain a weight and a bias each."""
    keys = lower(load_spec("tcm")).manifest()
    layout = load_layout("compressai-tcm")
    there = layout.from_canonical(keys)
    assert len(there.moves) + len(there.made) == 1397
    assert len(there.made) == 2 * 38
    exported_tensors = exported(layout, "tcm")
    key = "g_a.1.trans_block.msa.attn.proj.weight"
    assert torch.equal(exported_tensors[key], torch.eye(32))
    exported_tensors[key] = exported_tensors[key] * 2
    with pytest.raises(LayoutError, match="it is not the identity of") as caught:
        to_canonical(exported_tensors, small_plan("tcm"))
    assert caught.value.where == key


@pytest.mark.parametrize(("lrps", "count"), [(3, 2372), (5, 2384)], ids=["present code", "published checkpoints"])
def test_cca_in_compressais_containers(lrps: int, count: int) -> None:
    keys = lower(load_spec("cca-aux", aux_lrps=lrps)).manifest()
    there = load_layout("compressai-cca").from_canonical(keys)
    assert len(there.moves) == count
    assert there.unknown == []
    assert {"g_a.down.3.weight", "g_s.blocks.2.6.conv3.bias"} <= {move.target for move in there.moves}


def test_a_rename_may_ask_for_a_sibling() -> None:
    """Only the block that has a beta; split at dots, so a block with another's name as prefix is another."""
    inside = [{"from": "{head*}.conv1", "to": "{head*}.project", "has": "{head*}.beta"}]
    spec = {"layout": "x", "families": [], "inside": inside, "rules": [{"from": "{*}", "to": "{*}"}]}
    keymap = Layout(LayoutSpec.model_validate(spec), "x").to_canonical(
        ["b.1.conv1", "b.1.beta", "b.10.conv1", "b.2.conv1"]
    )
    assert [move.target for move in keymap.moves] == ["b.1.project", "b.1.beta", "b.10.conv1", "b.2.conv1"]
    inside[0]["has"] = "{tail*}.beta"
    with pytest.raises(LayoutError, match="fields of `from` alone"):
        Layout(LayoutSpec.model_validate(spec), "x")
