"""The auxiliary branch: on any host in channel groups, in training alone, and out of the way of everything else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import codecspec as cs
from codecspec.compiler.canonical import canonical_dict
from codecspec.compiler.convert import from_canonical, to_canonical
from codecspec.compiler.layouts import layouts, load_layout
from codecspec.compiler.plan import AUX, PARTS
from codecspec.compiler.saved_model import with_weights
from codecspec.schema.channel_groups import ChannelGroupsSpec
from tests.golden.golden_models import fill
from tests.runtime.small_codecs import SMALL, images, small
from tests.schema.bad_spec import GROUPS

HOSTS = [name for name in SMALL if isinstance(cs.load_spec(name).latent_codec.y, ChannelGroupsSpec)]
BRANCH = """
aux:
  cca:
    context: {type: mean_scale, widths: [9], transform: {type: naf_transform, width: 6, depth: 1}}
    leaf: [{type: lrp_gaussian, widths: [7], count: 1}, {type: gaussian}]
"""


def with_branch(name: str) -> cs.ModelSpec:
    """A zoo spec at its small params with a branch on it."""
    spec = f"codecspec: 1\nextends: {name}\nname: hosted\naux: null\n".replace("aux: null\n", BRANCH)
    return cs.parse_spec(spec, **SMALL[name])


@pytest.mark.parametrize("name", HOSTS)
def test_any_host_in_channel_groups(name: str) -> None:
    host, hosted = cs.lower(cs.load_spec(name, **SMALL[name])), cs.lower(with_branch(name))
    assert cs.spec_hash(hosted.spec) == cs.spec_hash(host.spec)
    assert {key for key in hosted.manifest() if key.split(".")[0] != AUX} == {
        key for key in host.manifest() if key.split(".")[0] != AUX
    }
    codec = fill(cs.build(hosted))
    x = images(2, 70, 50)
    with torch.no_grad():
        out = codec(x)
        y = codec.g_a(torch.nn.functional.pad(x, (0, -50 % codec.stride, 0, -70 % codec.stride), mode="replicate"))
    assert out["aux_likelihoods"].keys() == {"y_aux", "y_cca"}
    assert all(p.shape == y.shape and p.min() > 0 and p.max() <= 1 for p in out["aux_likelihoods"].values())


def test_a_ramp_in_the_branch_becomes_widths() -> None:
    """As it does outside; so the canonical form says the same of either spelling, and is its own."""

    def canonical(parameters: str) -> cs.ModelSpec:
        leaf = f"leaf: {{type: checkerboard, parameters: {parameters}}}"
        branch = BRANCH.replace("leaf: [{type: lrp_gaussian, widths: [7], count: 1}, {type: gaussian}]", leaf)
        return cs.lower(cs.parse_spec(f"codecspec: 1\nextends: elic\nname: hosted\n{branch}", **SMALL["elic"])).spec

    ramp = canonical("{ramp: 3, min: 14}")
    widths = [leaf.parameters for leaf in ramp.aux.cca.leaf]
    assert widths == [(14, 14), (16, 14), (14, 14), (40, 32)]  # from 4 to 2 channels for each of 3, 5, 4 and 12
    assert canonical_dict(ramp) == canonical_dict(cs.lower(cs.parse_spec(cs.dump_spec(ramp))).spec)
    first = canonical_dict(ramp)["aux"]["cca"]["leaf"][0]
    assert canonical_dict(canonical("[14, 14]"))["aux"]["cca"]["leaf"] == [{**first, "count": None}]


@pytest.mark.parametrize("name", HOSTS)
def test_streams_with_and_without_it_are_the_same(name: str) -> None:
    codec = fill(cs.build(cs.lower(with_branch(name))))
    bare, conversion = with_weights(
        cs.lower(cs.parse_spec(f"codecspec: 1\nextends: {name}\nname: bare\naux: null\n", **SMALL[name])),
        codec.state_dict(),
    )
    assert all(key.startswith(f"{AUX}.") for key in conversion.left_out)
    assert len(conversion.left_out) + len(bare.state_dict()) == len(codec.state_dict())
    x = images(1, 40, 70)
    assert codec.compress(x)["strings"] == bare.compress(x)["strings"]
    assert codec.spec_hash == bare.spec_hash


def test_coding_never_runs_it() -> None:
    codec = small("cca-aux")

    def fail(*_: Any) -> None:
        raise RuntimeError("coding runs the auxiliary branch")

    codec.aux_entropy_model.register_forward_pre_hook(fail)
    for module in codec.aux_entropy_model.modules():
        module.register_forward_pre_hook(fail)
    x = images(1, 64, 64)
    decoded = codec.decompress(**codec.compress(x))["x_hat"]
    with torch.no_grad():
        assert torch.equal(decoded, small("cca")(x)["x_hat"].clamp(0, 1))
    with pytest.raises(RuntimeError):
        codec(x)


def test_its_slices_see_their_own_earlier_slices_but_the_most_recent() -> None:
    """A change of its leaf 0 reaches slices 2 and later of it, and nothing of the codec beside it."""
    codec = small("cca-aux")
    x = images(1, 64, 64)
    with torch.no_grad():
        before = codec(x)
        codec.aux_entropy_model.inner_codec.latent_codec["y0"].lrp_transform[-1].bias += 1.0
        after = codec(x)
    assert torch.equal(before["likelihoods"]["y"], after["likelihoods"]["y"])
    assert torch.equal(before["x_hat"], after["x_hat"])
    groups = codec.spec.latent_codec.y.groups
    slices = zip(
        before["aux_likelihoods"]["y_cca"].split(groups, dim=1),
        after["aux_likelihoods"]["y_cca"].split(groups, dim=1),
        strict=True,
    )
    assert [torch.equal(a, b) for a, b in slices] == [True, True, False, False, False]


def test_it_is_a_part_of_its_own() -> None:
    host, plan = cs.lower(cs.load_spec("cca")), cs.lower(cs.load_spec("cca-aux"))
    assert tuple(plan.macs_by_part()) == (*PARTS, "aux")
    assert {part: macs for part, macs in plan.macs_by_part().items() if part != "aux"} == host.macs_by_part()
    assert sum(plan.parameters_by_part().values()) == plan.parameters
    assert plan.root(AUX).child("inner_codec").kind == "channel_groups"


def test_its_canonical_form() -> None:
    spec = cs.lower(cs.parse_spec(GROUPS + BRANCH)).spec
    aux = canonical_dict(spec)["aux"]["cca"]
    assert aux["support"] == {"filter": "skip_most_recent", "max": None, "slices": None}
    assert [(leaf["type"], leaf["count"]) for leaf in aux["leaf"]] == [("lrp_gaussian", 1), ("gaussian", 3)]
    again = cs.lower(cs.parse_spec(cs.dump_spec(spec))).spec
    assert canonical_dict(again) == canonical_dict(spec)
    every = BRANCH.replace("count: 1", "count: 4")
    assert canonical_dict(cs.lower(cs.parse_spec(GROUPS + every)).spec) != canonical_dict(spec)


@pytest.mark.parametrize(
    ("params", "groups", "lrps"),
    [
        ({}, 5, 3),
        ({"aux_lrps": "slices"}, 5, 5),
        ({"proportions": [4]}, 4, 2),
        ({"proportions": [1.5, 2.5, 4.5]}, 3, 1),
        ({"proportions": [1, 3]}, 2, 0),
        ({"proportions": [2]}, 2, 0),
        ({"proportions": [1]}, 1, 0),
    ],
)
def test_lrps_of_the_branch(params: dict[str, Any], groups: int, lrps: int) -> None:
    plan = cs.lower(cs.load_spec("cca-aux", **{**SMALL["cca-aux"], **params}))
    leaves = plan.root(AUX).child("inner_codec").children[groups:]
    assert [leaf.kind for leaf in leaves] == ["lrp_gaussian"] * lrps + ["gaussian"] * (groups - lrps)
    codec = fill(cs.build(plan))
    with torch.no_grad():
        assert codec(images(1, 64, 64))["aux_likelihoods"]["y_cca"].isfinite().all()


@pytest.mark.parametrize("layout", [None, "authors-cca"])
def test_a_checkpoint_with_it_loads_without_it(tmp_path: Path, layout: str | None) -> None:
    codec = small("cca-aux")
    codec.prepare_tables()
    state = codec.state_dict()
    tensors = from_canonical(state, load_layout(layout)).tensors if layout else state
    path = tmp_path / "with.pth"
    torch.save(dict(tensors), path)
    bare, conversion = cs.load_weights(cs.load_spec("cca", **SMALL["cca"]), path)
    left = [key for key in tensors if key.split(".")[0] in (AUX, "aux_entropymodel")]
    assert sorted(conversion.left_out) == sorted(left)
    assert any(line.startswith(f"{len(left)} tensors of the auxiliary branch left out") for line in conversion.report)
    assert all(torch.equal(tensor, state[key]) for key, tensor in bare.state_dict().items())


@pytest.mark.parametrize("name", [name for name in HOSTS if name != "cca-aux"])
def test_a_checkpoint_without_it_does_not_load_with_it(name: str) -> None:
    plan = cs.lower(with_branch(name))
    with pytest.raises(cs.CheckpointError, match="missing: the model needs it") as caught:
        to_canonical(small(name).state_dict(), plan)
    missing = [problem.where for problem in caught.value.problems]
    assert missing == [key for key in plan.manifest() if key.startswith(f"{AUX}.")]
    assert "aux_entropy_model.y_entropy_bottleneck.quantiles" in missing


@pytest.mark.parametrize("name", HOSTS)
def test_compressais_containers_have_a_place_for_it(name: str) -> None:
    codec = fill(cs.build(cs.lower(with_branch(name))))
    layout = next(found for found in layouts() if found.name == "compressai" and name in found.families)
    theirs = from_canonical(codec.state_dict(), layout).tensors
    assert {key for key in theirs if key.startswith(f"{AUX}.")} == {
        key for key in codec.state_dict() if key.startswith(f"{AUX}.")
    }
    back = to_canonical(theirs, cs.lower(with_branch(name))).tensors
    assert all(torch.equal(back[key], tensor) for key, tensor in codec.state_dict().items())


@pytest.mark.parametrize("lrps", [3, 5], ids=["present", "published"])
def test_both_forms_of_the_authors_checkpoints_load(lrps: int) -> None:
    """Their present code has LRPs on all slices of the branch but two, their published checkpoints on every slice."""
    params = {**SMALL["cca-aux"], "aux_lrps": lrps}
    codec = fill(cs.compile_spec("cca-aux", **params))
    theirs = from_canonical(codec.state_dict(), load_layout("authors-cca")).tensors
    assert sum(key.startswith("aux_entropymodel.lrp_transforms.") for key in theirs) == 6 * lrps
    plan = cs.lower(cs.load_spec("cca-aux", **params))
    loaded, conversion = with_weights(plan, theirs)
    assert conversion.layout == "authors"
    assert all(torch.equal(tensor, loaded.state_dict()[key]) for key, tensor in codec.state_dict().items())
    other = cs.lower(cs.load_spec("cca-aux", **{**params, "aux_lrps": 8 - lrps}))
    with pytest.raises(cs.CheckpointError, match="left over" if lrps == 5 else "missing"):
        to_canonical(theirs, other)


@pytest.mark.parametrize(("params", "count"), [({}, 2316), ({"aux_lrps": "slices"}, 2328)])
def test_tensors_of_the_authors_checkpoints(params: dict[str, Any], count: int) -> None:
    plan = cs.lower(cs.load_spec("cca-aux", **params))
    keymap = load_layout("authors-cca").from_canonical(plan.manifest())
    assert (len(keymap.moves), keymap.unknown) == (count, [])


def test_saving_keeps_it_and_its_tables(tmp_path: Path) -> None:
    codec = small("cca-aux")
    assert codec.update(force=True)
    assert codec.aux_entropy_model.y_entropy_bottleneck._offset.numel()
    cs.save(codec, tmp_path / "aux.safetensors")
    loaded = cs.load(tmp_path / "aux.safetensors")
    assert loaded.spec.aux is not None
    assert all(torch.equal(tensor, loaded.state_dict()[key]) for key, tensor in codec.state_dict().items())


def test_its_tables_are_not_made() -> None:
    codec = small("cca-aux")
    assert codec.prepare_tables()
    assert not codec.prepare_tables()
    assert codec.aux_entropy_model.y_entropy_bottleneck._offset.numel() == 0
