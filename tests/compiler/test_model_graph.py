"""The graph of a model is its plan: every node once, with the plan's own figures, and what papers draw between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import codecspec as cs
from codecspec import specs
from codecspec.compiler.box_words import runs_of
from codecspec.compiler.model_graph import model_graph
from codecspec.compiler.plan import AUX, Plan
from codecspec.schema.channel_groups import ChannelGroupsSpec


def graph_of(name: str, **params: Any) -> tuple[Plan, dict[str, Any]]:
    plan = cs.lower(cs.load_spec(name, **params))
    return plan, model_graph(plan)


def walk(box: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield box
    for child in box.get("children", []):
        yield from walk(child)


@pytest.mark.parametrize("name", specs.names())
def test_every_node_is_a_box_with_the_plans_figures(name: str) -> None:
    plan, graph = graph_of(name)
    boxes = {box["id"]: box for box in walk(graph["root"])}
    assert len(boxes) == sum(1 for _ in walk(graph["root"])), "no id twice"
    nodes = {node.path: node for node in plan.walk()}
    assert nodes.keys() - boxes.keys() == {"latent_codec"}, "the whole of it is the picture"
    for path, node in nodes.items():
        if path == "latent_codec":
            continue
        channels = str(node.c_in) if node.c_in == node.c_out else f"{node.c_in} > {node.c_out}"
        assert boxes[path]["parameters"] == node.parameters
        assert boxes[path]["kmacs"] == float(node.total_macs / 1000)
        assert boxes[path]["flow"] == f"{channels} @ {node.scale_out}"
    figures = cs.statistics(plan)
    assert (graph["parameters"], graph["kmacs"]) == (figures.parameters, figures.kmacs_per_pixel)


@pytest.mark.parametrize("name", specs.names())
def test_edges_join_boxes_of_one_parent(name: str) -> None:
    _, graph = graph_of(name)
    for box in walk(graph["root"]):
        children = {child["id"] for child in box.get("children", [])}
        assert {end for edge in box.get("edges", []) for end in edge} <= children


def test_what_flows_through_a_hyperprior() -> None:
    _, graph = graph_of("mbt2018-mean")
    assert graph["root"]["edges"] == [
        ["x", "g_a"],
        ["g_a", "y"],
        ["y", "latent_codec.h_a"],
        ["latent_codec.h_a", "z"],
        ["z", "latent_codec.z"],
        ["latent_codec.z", "z_hat"],
        ["z_hat", "latent_codec.h_s"],
        ["latent_codec.h_s", "latent_codec.y"],
        ["y", "latent_codec.y"],
        ["latent_codec.y", "y_hat"],
        ["y_hat", "g_s"],
        ["g_s", "x_hat"],
    ]


def test_tensors_say_their_channels_and_resolution() -> None:
    """Of WACNN: 320 channels of y on a sixteenth of the image's side, 192 of z on a sixty-fourth."""
    _, graph = graph_of("wacnn")
    flows = {box["id"]: box["flow"] for box in graph["root"]["children"] if box["shape"] == "value"}
    assert flows == {
        "x": "3 @ 1",
        "y": "320 @ 1/16",
        "z": "192 @ 1/64",
        "z_hat": "192 @ 1/64",
        "y_hat": "320 @ 1/16",
        "x_hat": "3 @ 1",
    }
    assert graph["stride"] == 64


@pytest.mark.parametrize(
    ("seen", "said"), [([], ""), ([3], "3"), ([0, 1, 2], "0-2"), ([0, 1, 4, 6, 7, 8], "0-1, 4, 6-8"), ([5, 2], "5, 2")]
)
def test_runs_of_slices(seen: list[int], said: str) -> None:
    assert runs_of(seen) == said


def test_a_codec_without_hyperprior() -> None:
    _, graph = graph_of("bmshj2018-factorized")
    assert [box["id"] for box in graph["root"]["children"]] == [
        "x",
        "g_a",
        "y",
        "latent_codec.y",
        "y_hat",
        "g_s",
        "x_hat",
    ]


@pytest.mark.parametrize("name", ["wacnn", "cca-aux", "elic-chandelier"])
def test_slices_see_what_the_support_says(name: str) -> None:
    plan, graph = graph_of(name)
    node = next(node for node in plan.walk() if node.path == "latent_codec.y")
    assert isinstance(node.spec, ChannelGroupsSpec)
    box = next(box for box in walk(graph["root"]) if box["id"] == node.path)
    supports = node.spec.support.indices(len(box["children"]))
    assert box["edges"] == [[f"{node.path}:{j}", f"{node.path}:{k}"] for k, seen in enumerate(supports) for j in seen]
    assert [child["title"] for child in box["children"]] == [f"slice {k}" for k in range(len(supports))]
    assert all(child["folded"] for child in box["children"])
    last = box["children"][-1]
    assert last["parameters"] == sum(child["parameters"] for child in last["children"])
    assert last["kmacs"] == pytest.approx(sum(child["kmacs"] for child in last["children"]))
    leaves = [leaf for leaf in plan.walk() if leaf.path.rpartition(".")[0] == f"{node.path}.latent_codec"]
    assert [child["meaning"] for child in box["children"]] == [f"{leaf.c_in} channels" for leaf in leaves]
    assert sum(leaf.c_in for leaf in leaves) == node.c_in


def test_many_slices_have_edges_to_their_neighbours_alone() -> None:
    _, graph = graph_of("wacnn", M=640, slices=40, max_support=40)
    (box,) = [box for box in walk(graph["root"]) if box["id"] == "latent_codec.y"]
    assert box["edges"] == [[f"latent_codec.y:{k - 1}", f"latent_codec.y:{k}"] for k in range(1, 40)]
    assert box["children"][-1]["flow"] == "sees 0-38"


def test_an_auxiliary_branch_takes_y_and_the_side_parameters() -> None:
    _, graph = graph_of("cca-aux")
    assert [edge for edge in graph["root"]["edges"] if AUX in edge] == [["y", AUX], ["latent_codec.h_s", AUX]]


def test_boxes_say_what_the_spec_says() -> None:
    _, graph = graph_of("wacnn")
    boxes = {box["id"]: box for box in walk(graph["root"])}
    assert boxes["g_a.0"]["says"] == "5x5, stride 2"
    assert boxes["g_s.1"]["says"] == "5x5, up 2"
    assert boxes["g_s.2"]["says"] == "inverse"
    assert boxes["g_a.4"]["says"] == "heads 8, window 8, shift 4"
    assert boxes["latent_codec.y:7"]["flow"] == "sees 0-4"
    assert boxes["latent_codec.y:0"]["flow"] == "sees no slice"
    assert (boxes["g_a"]["title"], boxes["g_a"]["meaning"]) == ("g_a", "analysis")
    head = boxes["latent_codec.y.channel_context.y1.mean_cc"]
    assert (head["title"], head["meaning"]) == ("entropy_transform", "mean_cc")
    assert head["says"] == "3x3, widths 224 176 128 64"


def test_a_stage_is_folded_and_says_what_is_in_it() -> None:
    _, graph = graph_of("cca")
    boxes = {box["id"]: box for box in walk(graph["root"])}
    stage = boxes["g_a.1"]
    assert (stage["kind"], stage["says"], stage["folded"]) == ("sequence", "3 residual_bottleneck, 4 naf", True)
    assert [boxes[path]["folded"] for path in ("g_a", "latent_codec.h_a", "latent_codec.h_s.h_mean_s")] == [False] * 3


@pytest.mark.parametrize(("name", "leaf"), [("elic", "latent_codec.y.latent_codec.y3"), ("mbt2018", "latent_codec.y")])
def test_the_masked_convolution_of_a_leaf_is_a_box_and_the_parts_add_up(name: str, leaf: str) -> None:
    plan, graph = graph_of(name)
    boxes = {box["id"]: box for box in walk(graph["root"])}
    node = next(node for node in plan.walk() if node.path == leaf)
    context, parameters = f"{leaf}.context_prediction", f"{leaf}.entropy_parameters"
    assert boxes[leaf]["edges"] == [[context, parameters]]
    assert boxes[context]["flow"] == f"{node.c_in} > {2 * node.c_in} @ 1/16"
    assert boxes[context]["says"] == "5x5"
    weight, bias = (node.tensors[f"context_prediction.{name}"].numel for name in ("weight", "bias"))
    assert boxes[context]["parameters"] == weight + bias, "and not the mask, which is as large as the weight"
    assert boxes[leaf]["parameters"] == boxes[context]["parameters"] + boxes[parameters]["parameters"]
    assert boxes[leaf]["kmacs"] == pytest.approx(boxes[context]["kmacs"] + boxes[parameters]["kmacs"])


def test_a_box_has_its_fields_and_their_defaults() -> None:
    _, graph = graph_of("tcm")
    boxes = {box["id"]: box for box in walk(graph["root"])}
    assert boxes["g_a.1"]["says"] == "head_dim 8"
    assert boxes["g_a.1"]["fields"] == "head_dim 8, window 8, shift 0"


def test_a_branch_of_training_has_figures_of_its_own() -> None:
    plan, graph = graph_of("cca-aux")
    assert graph["parameters"] + graph["aux_parameters"] == plan.parameters
    assert graph_of("cca")[1]["aux_parameters"] == 0
