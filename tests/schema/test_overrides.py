"""What a param of the caller makes wrong is said of it, and what is wrong without it is said of the file."""

from __future__ import annotations

from typing import Any

import pytest

from codecspec.compiler.lower import lower
from codecspec.schema.blocks import ReLUSpec
from codecspec.schema.errors import Problem, SchemaError
from codecspec.schema.load import load_spec, parse_spec
from tests.schema.bad_spec import GROUPS, TINY, spoilt

FILE = "tiny.yaml"


def _problems(text: str, **params: Any) -> list[Problem]:
    with pytest.raises(SchemaError) as caught:
        lower(parse_spec(text, FILE, **params))
    return list(caught.value.problems)


@pytest.mark.parametrize(
    ("text", "params", "message"),
    [
        (TINY, {"N": 8.5}, "an integer is needed, found 8.5 (at tiny.yaml:5:23 and 2 more places)"),
        (TINY, {"N": 0}, "'out' is 0 (N); it must be at least 1 (at tiny.yaml:5:23 and 2 more places)"),
        (TINY, {"N": [8]}, "an integer is needed, found [8] (at tiny.yaml:5:23 and 2 more places)"),
        (TINY, {"M": 40000}, "'out' is 80000 (2*M); it must be at most 65536 (at tiny.yaml:16:29)"),
        (TINY, {"depths": [1]}, "'depths[1]' takes item 1 of a list of 1 (at tiny.yaml:7:21)"),
        (GROUPS, {"slices": 5}, "16 channels do not divide into 5 equal slices (at tiny.yaml:18:13)"),
        (GROUPS, {"M": 14}, "the 14 channels that come in do not divide into 4 heads (at tiny.yaml:6:32)"),
    ],
)
def test_the_param_that_makes_it_wrong(text: str, params: dict[str, Any], message: str) -> None:
    (assignment,) = (f"--set {name}={value}" for name, value in params.items())
    found = _problems(text, **params)
    assert {problem.where for problem in found} == {assignment}
    assert message in [problem.message for problem in found]


def test_a_param_beside_it_has_no_part_in_it() -> None:
    assert {problem.where for problem in _problems(GROUPS, slices=2, M=15)} == {"--set M=15"}


def test_each_param_has_its_own_problems() -> None:
    assert {problem.where for problem in _problems(TINY, N=0, M=0)} == {"--set N=0", "--set M=0"}


def test_params_that_are_wrong_only_together() -> None:
    good = {"M": 20, "slices": 5}
    lower(parse_spec(GROUPS, FILE, **good))
    assert [(p.where, p.message) for p in _problems(GROUPS, M=18, slices=5) if p.code == "E-groups"] == [
        ("--set M=18 --set slices=5", "18 channels do not divide into 5 equal slices (at tiny.yaml:18:13)")
    ]


def test_what_the_file_says_wrong_itself_stays_there() -> None:
    typo = spoilt("type: gdn}", "type: gnd}", TINY)
    found = _problems(typo, N=0)
    assert [problem.where for problem in found] == ["--set N=0", "tiny.yaml:6:12"]
    assert _problems(typo, N=12) == _problems(typo)


def test_what_the_file_makes_of_a_good_param_is_the_file_s() -> None:
    divided = TINY.replace("out: N,", "out: N / 2,", 1)
    assert {problem.where for problem in _problems(divided, N=16)} == {"tiny.yaml:5:23"}


def test_a_loaded_spec_remembers_which_params_are_the_caller_s() -> None:
    spec = parse_spec(GROUPS, FILE, M=20, slices=5)
    with pytest.raises(SchemaError, match="16 channels do not divide into 5") as caught:
        lower(load_spec(spec, M=16))
    assert caught.value.where == "--set slices=5"


def test_a_spec_that_was_changed_since_is_not_the_params_fault() -> None:
    spec = parse_spec(GROUPS, FILE, M=20)
    changed = spec.model_copy(update={"g_s": (ReLUSpec(type="relu"),)})
    with pytest.raises(SchemaError) as caught:
        lower(changed)
    assert all("--set" not in problem.where for problem in caught.value.problems)


def test_more_wrong_places_than_are_said() -> None:
    blocks = "  - {type: conv, out: N}\n" * 150
    many = TINY.replace("g_s:\n", f"{blocks}g_s:\n", 1)
    assert [problem.where for problem in _problems(many, N=-1)] == ["--set N=-1"]


def test_a_list_that_is_too_long() -> None:
    text = GROUPS.replace("slices: 4}", "slices: 4, w: [8]}").replace("scale, widths: [8]", "scale, widths: w")
    (found,) = _problems(text, w=[8] * 65)
    assert "'widths' is a list of 65 (w); it must be a list of at most 64 items" in found.message


def test_an_empty_list_of_groups() -> None:
    text = GROUPS.replace("slices: 4}", "widths: [8, 8]}").replace("{equal: slices}", "widths")
    lower(parse_spec(text))
    found = _problems(text, widths=[])
    assert [(p.where, p.message) for p in found] == [
        ("--set widths=[]", "'groups' is [] (widths); it must be a list of at least 1 item (at tiny.yaml:18:13)")
    ]


def test_a_param_that_is_none_brings_no_problems_after_it() -> None:
    assert [problem.where for problem in _problems(TINY, depths="abc")] == ["--set depths=abc"]
