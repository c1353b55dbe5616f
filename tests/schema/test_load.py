"""From text, a file, a mapping or a loaded spec to a spec: params, repeats, `extends`."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
import yaml

from codecspec import specs
from codecspec.schema.blocks import ConvSpec, LeakyReLUSpec, SequenceSpec
from codecspec.schema.channel_groups import ChannelGroupsSpec
from codecspec.schema.errors import SchemaError
from codecspec.schema.leaves import GaussianSpec
from codecspec.schema.load import load_spec, parse_spec
from codecspec.schema.model import ModelSpec
from codecspec.schema.spec_files import find_spec
from tests.schema.bad_spec import GROUPS, TINY, spoilt


def _convs(spec: ModelSpec) -> list[int]:
    return [block.out for block in spec.g_a if isinstance(block, ConvSpec)]


def _slopes(spec: ModelSpec) -> list[float]:
    return [block.slope for block in spec.g_a if isinstance(block, LeakyReLUSpec)]


def _groups(spec: ModelSpec) -> ChannelGroupsSpec:
    y = spec.latent_codec.y
    assert isinstance(y, ChannelGroupsSpec)
    return y


def test_params_of_the_file() -> None:
    spec = parse_spec(TINY)
    assert spec.params == {"N": 8, "M": 16, "depths": (1, 2)}
    assert _convs(spec) == [8, 16]


def test_params_of_the_caller() -> None:
    spec = parse_spec(TINY, N=12, M="2*N + 8", depths=[1, "N // 4"])
    assert spec.params == {"N": 12, "M": 32, "depths": (1, 3)}
    assert _convs(spec) == [12, 32]
    assert _slopes(spec) == [0, 1, 2]


def test_a_param_that_follows_another() -> None:
    text = spoilt(
        "M: 16, depths",
        "M: 2*N, depths",
        spoilt("out: N, kernel: 5, stride: 2}\n  - {type: gdn}", "out: 3, stride: 2}\n  - {type: gdn}").replace(
            "out: N", "out: 3"
        ),
    )
    assert _convs(parse_spec(text)) == [3, 16]
    assert _convs(parse_spec(text, N=10)) == [3, 20]
    assert parse_spec(text, M=40).params == {"N": 8, "M": 40, "depths": (1, 2)}


@pytest.mark.parametrize(
    ("value", "said", "code", "message"),
    [
        ("lambda: 3", "lambda: 3", "E-expression", "param N: 'lambda: 3' is not allowed"),
        ("M", "M", "E-unknown-param", "param N: 'M' names no param"),
        ("", "", "E-expression", "param N: '' is not an expression"),
        (True, "true", "E-value", "a number or a list of numbers, found true"),
        (None, "null", "E-value", "found nothing"),
        ([[1]], "[[1]]", "E-value", "found a list of 1|found \\[1\\]"),
        (float("nan"), "nan", "E-value", "is not between"),
        (10**5000, f"1{'0' * 48}...", "E-value", "is not between"),
        ([1] * 2000, f"[{'1,' * 24}...", "E-value", "a list of 2000 items; at most 1024"),
    ],
    ids=["lambda", "later", "empty", "bool", "none", "nested", "nan", "huge", "long"],
)
def test_a_param_of_the_caller_that_is_none(value: Any, said: str, code: str, message: str) -> None:
    with pytest.raises(SchemaError, match=message) as caught:
        parse_spec(TINY, N=value)
    assert (caught.value.code, caught.value.where) == (code, f"--set N={said}")


def test_unknown_params_of_the_caller() -> None:
    with pytest.raises(SchemaError, match="no param 'K'; params: N, M, depths") as caught:
        load_spec(parse_spec(TINY), K=1, depth=2)
    assert [(p.code, p.where, p.hint) for p in caught.value.problems] == [
        ("E-unknown-param", "--set K=1", ""),
        ("E-unknown-param", "--set depth=2", "did you mean 'depths'?"),
    ]


def test_a_param_may_be_called_spec() -> None:
    text = TINY.replace("N: 8", "spec: 8").replace("out: N", "out: spec")
    assert _convs(load_spec(parse_spec(text), spec=20)) == [20, 16]


def test_a_loaded_spec_with_other_params() -> None:
    spec = parse_spec(TINY)
    again = load_spec(spec, N=12)
    assert again.params == {"N": 12, "M": 16, "depths": (1, 2)}
    assert load_spec(again, M=24).params == {"N": 12, "M": 24, "depths": (1, 2)}
    assert load_spec(load_spec(again, M=24), N=8, M=16) == spec
    assert load_spec(spec) is spec
    assert spec.params["N"] == 8


def test_a_spec_made_in_python_has_no_params() -> None:
    made = ModelSpec.model_validate(parse_spec(TINY).model_dump())
    with pytest.raises(SchemaError, match="made in Python and has no params") as caught:
        load_spec(made, N=3)
    assert caught.value.code == "E-unknown-param"


@pytest.mark.parametrize("text", [TINY, GROUPS], ids=["tiny", "groups"])
def test_a_mapping_is_the_same_as_its_text(text: str) -> None:
    mapping = yaml.safe_load(text)
    assert load_spec(mapping) == parse_spec(text)
    assert load_spec(mapping, M=32) == parse_spec(text, M=32)
    assert load_spec(mapping) != parse_spec(text, M=32)


def test_places_in_a_mapping_are_paths() -> None:
    mapping = yaml.safe_load(TINY)
    mapping["g_a"][0]["out"] = "K"
    mapping["latent_codec"]["z"]["typo"] = 1
    mapping["params"]["spare"] = 1
    with pytest.raises(SchemaError, match="'K' names no param") as caught:
        load_spec(mapping)
    assert [problem.where for problem in caught.value.problems] == ["$.latent_codec.z.typo", "$.g_a[0].out"]


def test_an_unused_param_in_a_mapping() -> None:
    mapping = yaml.safe_load(TINY)
    mapping["params"]["spare"] = 1
    with pytest.raises(SchemaError, match="no expression names the param 'spare'") as caught:
        load_spec(mapping)
    assert caught.value.where == "$.params.spare"


def _endless() -> dict[str, Any]:
    mapping: dict[str, Any] = {"codecspec": 1}
    mapping["g_a"] = mapping
    return mapping


@pytest.mark.parametrize(
    ("mapping", "code"),
    [
        (_endless(), "E-too-deep"),
        ({"x": [0] * 30_000}, "E-too-large"),
        ({3: 4}, "E-yaml"),
        ({"x": 10**5000}, "E-value"),
        ({}, "E-missing-key"),
    ],
    ids=["endless", "large", "key", "number", "empty"],
)
def test_a_hostile_mapping(mapping: dict[str, Any], code: str) -> None:
    with pytest.raises(SchemaError, match=code):
        load_spec(mapping)


def test_repeats_with_indexes() -> None:
    inner = "{repeat: {count: i + 1, index: j, blocks: [{type: leaky_relu, slope: 10*i + j}]}}"
    text = spoilt("{type: gdn}", f"repeat: {{count: 3, index: i, blocks: [{inner}, {{type: relu}}]}}")
    spec = parse_spec(text)
    assert _slopes(spec) == [0, 10, 11, 20, 21, 22, 0, 1]
    assert [block.type for block in spec.g_a].count("relu") == 3


def test_repeats_in_a_sequence_and_of_nothing() -> None:
    two, none = "{repeat: {count: 2, blocks: [{type: relu}]}}", "{repeat: {count: 0, blocks: [{type: gdn}]}}"
    stage = f"{{type: sequence, blocks: [{two}, {none}]}}"
    sequence = parse_spec(spoilt("{type: gdn}", stage)).g_a[1]
    assert isinstance(sequence, SequenceSpec)
    assert [block.type for block in sequence.blocks] == ["relu", "relu"]


def test_a_repeat_that_leaves_nothing() -> None:
    with pytest.raises(SchemaError, match=r"'h_a' is \[\]; it must be a list of at least 1 item") as caught:
        parse_spec(spoilt("h_a: [{type: conv, out: N, stride: 2}]", "h_a: [{repeat: {count: 0, blocks: []}}]"))
    assert len(caught.value.problems) == 1


def test_a_spec_with_repeats_can_be_copied_and_pickled() -> None:
    spec = parse_spec(TINY)
    for again in (copy.deepcopy(spec), pickle.loads(pickle.dumps(spec))):
        assert again == spec
        assert load_spec(again, N=12) == load_spec(spec, N=12)
        assert str(again.source.mark(("g_a", 1))) == "<text>:6:5"


def test_sources_lead_back_to_the_lines() -> None:
    source = parse_spec(TINY, "t.yaml").source
    assert source.where(("g_a", 2, "slope")) == "t.yaml:7:79"
    assert source.where(("g_a", 3, "slope")) == "t.yaml:7:79"
    assert source.where(("g_a", 4, "out")) == "t.yaml:8:23"
    assert source.where(("g_a", 4, "groups")) == "t.yaml:8:5"
    assert source.written_steps(("g_a", 4, "conv", "nowhere")) == ("g_a", 4)
    assert ModelSpec.model_validate(parse_spec(TINY).model_dump()).source.where(("g_a", 4, "out")) == "$.g_a[4].out"


def _base(folder: Path, text: str = GROUPS, name: str = "base.yaml") -> None:
    (folder / name).write_text(text)


def _extended(folder: Path, text: str, base: str = "base.yaml") -> ModelSpec:
    path = folder / "top.yaml"
    path.write_text(f"extends: {base}\n{text}")
    return load_spec(path)


def test_extends_overrides_key_by_key(tmp_path: Path) -> None:
    _base(tmp_path)
    spec = _extended(tmp_path, "name: top\nparams: {M: 32}\nlatent_codec: {y: {context: {widths: [M, 9]}}}\n")
    base = load_spec(tmp_path / "base.yaml")
    assert (spec.name, spec.params) == ("top", {"M": 32, "slices": 4})
    assert _groups(spec).context.widths == (32, 9)
    assert _groups(spec).context.emit_mean_support == "pre"
    assert _groups(spec).leaf == _groups(base).leaf
    assert spec.latent_codec.z == base.latent_codec.z


def test_extends_replaces_lists(tmp_path: Path) -> None:
    _base(tmp_path)
    spec = _extended(tmp_path, "g_a: [{type: conv, out: M, stride: 2}]\n")
    assert [block.type for block in spec.g_a] == ["conv"]


def test_extends_replaces_nodes_of_another_type(tmp_path: Path) -> None:
    _base(tmp_path)
    spec = _extended(tmp_path, "latent_codec: {y: {type: gaussian, chunks: [means, scales]}}\n")
    y = spec.latent_codec.y
    assert isinstance(y, GaussianSpec)
    assert (y.chunks, y.quantizer) == (("means", "scales"), "noise")
    assert spec.params == {"M": 16, "slices": 4}


def test_extends_merges_nodes_of_the_same_type(tmp_path: Path) -> None:
    _base(tmp_path)
    leaf = _groups(_extended(tmp_path, "latent_codec: {y: {leaf: {type: lrp_gaussian, lrp_scale: 0.25}}}\n")).leaf[0]
    assert leaf.model_dump()["lrp_scale"] == 0.25
    assert leaf.model_dump()["widths"] == (8,)


@pytest.mark.parametrize(
    ("groups", "widths"), [("{proportions: [1, 3]}", 2), ("[8, 8]", 2), ("{equal: 2}", 2), ("{equal: slices}", 4)]
)
def test_extends_with_groups_of_another_form(tmp_path: Path, groups: str, widths: int) -> None:
    _base(tmp_path)
    spec = _extended(tmp_path, f"latent_codec: {{y: {{groups: {groups}, leaf: {{count: {widths}}}}}}}\n")
    assert load_spec(spec) is spec


@pytest.mark.parametrize(
    ("support", "indices"),
    [
        ("{max: 1}", ((), (0,), (0,), (0,))),
        ("{filter: all}", ((), (0,), (0, 1), (0, 1, 2))),
        ("{filter: recent, max: 1}", ((), (0,), (1,), (2,))),
        ("{slices: [[], [], [1], [0]]}", ((), (), (1,), (0,))),
    ],
)
def test_extends_with_a_support_of_another_form(
    tmp_path: Path, support: str, indices: tuple[tuple[int, ...], ...]
) -> None:
    _base(tmp_path)
    found = _groups(_extended(tmp_path, f"latent_codec: {{y: {{support: {support}}}}}\n")).support
    assert found.problem(4) is None
    assert found.indices(4) == indices


def test_params_named_like_forms_merge(tmp_path: Path) -> None:
    _base(tmp_path, GROUPS.replace("slices: 4", "slices: 4, type: 8").replace("out: 8,", "out: type,"))
    assert _extended(tmp_path, "params: {type: 12, slices: 2}\n").params == {"M": 16, "slices": 2, "type": 12}


def test_extends_in_a_chain_and_other_folders(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    _base(tmp_path / "a")
    (tmp_path / "a" / "middle.yaml").write_text("extends: base.yaml\nname: middle\nparams: {M: 32}\n")
    spec = _extended(tmp_path, "params: {slices: 2}\n", "a/middle.yaml")
    assert (spec.name, spec.params) == ("middle", {"M": 32, "slices": 2})


def test_only_own_params_must_be_used(tmp_path: Path) -> None:
    _base(tmp_path)
    top = "latent_codec: {y: {type: gaussian, chunks: [means, scales]}}\n"
    assert _extended(tmp_path, top).params["slices"] == 4
    with pytest.raises(SchemaError, match="no expression names the param 'slices'") as caught:
        _extended(tmp_path, "params: {slices: 2}\n" + top)
    assert caught.value.where == f"{tmp_path}/top.yaml:2:10"


def test_errors_in_a_base_name_the_base(tmp_path: Path) -> None:
    _base(tmp_path, spoilt("shift: 2", "shift: x", GROUPS))
    with pytest.raises(SchemaError, match="'x' names no param") as caught:
        _extended(tmp_path, "name: top\nzzz: 1\n")
    assert [p.where for p in caught.value.problems] == [f"{tmp_path}/base.yaml:6:53", f"{tmp_path}/top.yaml:3:1"]


def test_a_circle_of_two(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("extends: b.yaml\n")
    (tmp_path / "b.yaml").write_text("name: b\nextends: a.yaml\n")
    with pytest.raises(SchemaError, match="the chain b -> a -> b comes back to itself") as caught:
        load_spec(tmp_path / "a.yaml")
    assert (caught.value.code, caught.value.where) == ("E-extends", f"{tmp_path}/a.yaml:1:10")


def test_a_chain_too_long(tmp_path: Path) -> None:
    for i in range(12):
        (tmp_path / f"{i}.yaml").write_text(f"extends: {i + 1}.yaml\n")
    with pytest.raises(SchemaError, match="is longer than 8") as caught:
        load_spec(tmp_path / "0.yaml")
    assert (caught.value.code, caught.value.where) == ("E-extends", f"{tmp_path}/8.yaml:1:10")


def test_a_zoo_name_a_file_and_a_folder_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_spec("wacnn") == specs.path("wacnn")
    (tmp_path / "wacnn").mkdir()
    assert find_spec("wacnn") == specs.path("wacnn")
    (tmp_path / "mbt2018-mean").write_text(TINY)
    assert load_spec("mbt2018-mean").name == "tiny"
