"""Every way for a spec to be wrong: its code, its place, what was found and what is allowed."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from codecspec.schema.errors import SchemaError, SpecError
from codecspec.schema.load import load_spec
from tests.schema.bad_aux import AUXILIARY
from tests.schema.bad_fields import FIELDS
from tests.schema.bad_files import FILES
from tests.schema.bad_latents import LATENTS
from tests.schema.bad_meaning import MEANING
from tests.schema.bad_spec import GROUPS, TINY, Bad, check, spoilt
from tests.schema.bad_transformers import TRANSFORMERS

ALL = [*FIELDS, *MEANING, *TRANSFORMERS, *FILES, *AUXILIARY, *LATENTS]
NASTIEST = (
    "alias-bomb",
    "nested-flow",
    "nested-blocks",
    "repeats-explode",
    "repeats-of-nothing-explode",
    "above-a-mebibyte",
    "mebibyte-word",
    "strides-explode",
    "thousands-of-errors",
    "proportions-single-huge",
)
CHECK = """
import sys, time
from codecspec.compiler.lower import lower
from codecspec.schema.errors import SpecError
from codecspec.schema.load import load_spec
start = time.process_time()
try:
    lower(load_spec(sys.argv[1]))
except SpecError as error:
    print(error.code, time.process_time() - start)
"""
MEASURE = """
import resource, subprocess, sys
subprocess.run([sys.executable, "-c", *sys.argv[1:]], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
"""
"""Runs Python in a child of its own: a process's peak starts at that of the one it was forked from, here pytest's."""


@pytest.mark.parametrize("text", [TINY, GROUPS], ids=["tiny", "groups"])
def test_unspoilt_specs_are_good(tmp_path: Path, text: str) -> None:
    (tmp_path / "spec.yaml").write_text(text)
    assert check(tmp_path / "spec.yaml").stride > 1


def test_each_way_has_a_name_of_its_own() -> None:
    assert len({bad.id for bad in ALL}) == len(ALL) > 100


@pytest.mark.parametrize("bad", ALL, ids=lambda bad: bad.id)
def test_bad_spec(tmp_path: Path, bad: Bad) -> None:
    path = bad.write(tmp_path)
    start = time.process_time()
    with pytest.raises(SpecError) as caught:
        check(path)
    seconds = time.process_time() - start
    first = caught.value.problems[0]
    line, column = bad.place()
    assert isinstance(caught.value, SchemaError)
    assert (first.code, first.where) == (bad.code, f"{path}:{line}:{column}"), str(caught.value)
    assert [part for part in bad.says if part not in first.message] == [], first.message
    assert bad.hint in first.hint
    assert bool(bad.hint) == bool(first.hint), first.hint
    assert len(caught.value.problems) == bad.problems, str(caught.value)
    assert all(len(line) < 800 for line in str(caught.value).splitlines())
    assert str(caught.value).isprintable() or "\n" in str(caught.value)
    assert seconds < 1


@pytest.mark.parametrize("bad", [bad for bad in ALL if bad.id in NASTIEST], ids=lambda bad: bad.id)
def test_hostile_spec_costs_little(tmp_path: Path, bad: Bad) -> None:
    command = [sys.executable, "-c", MEASURE, CHECK, str(bad.write(tmp_path))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    code, seconds, mebibytes = done.stdout.split()
    assert code == bad.code
    assert float(seconds) < 1
    assert 10 < float(mebibytes) < 200
    assert done.stderr == ""


def test_the_nastiest_are_there() -> None:
    assert {bad.id for bad in ALL} >= set(NASTIEST)


def test_all_problems_at_once_by_line(tmp_path: Path) -> None:
    text = spoilt("codecspec: 1", "codecspec: 2")
    text = text.replace("{N: 8", "{N: true").replace("{type: gdn}", "{type: gnd}").replace("out: 3,", "uot: 3,")
    text = text.replace("{type: entropy_bottleneck}", "{type: entropy_bottleneck, quantizer: sto}")
    path = tmp_path / "spec.yaml"
    path.write_text(text.replace("{type: gaussian}", "{type: gaussian, chunks: [M]}"))
    with pytest.raises(SchemaError, match="E-version") as caught:
        check(path)
    assert [(problem.code, problem.where) for problem in caught.value.problems] == [
        ("E-version", f"{path}:1:12"),
        ("E-value", f"{path}:3:13"),
        ("E-unknown-type", f"{path}:6:12"),
        ("E-missing-key", f"{path}:12:5"),
        ("E-unknown-key", f"{path}:12:20"),
        ("E-value", f"{path}:17:44"),
        ("E-value", f"{path}:18:32"),
    ]
    assert len(str(caught.value).splitlines()) == 11, str(caught.value)


def test_all_that_does_not_fit_at_once_by_line(tmp_path: Path) -> None:
    text = GROUPS.replace("shift: 2", "shift: 9").replace("out: 3", "out: 5").replace("{equal: slices}", "[slices, 4]")
    path = tmp_path / "spec.yaml"
    path.write_text(text.replace("scale: [{type: deconv, out: M", "scale: [{type: deconv, out: 4"))
    with pytest.raises(SchemaError, match="E-channels") as caught:
        check(path)
    assert [(problem.code, problem.where) for problem in caught.value.problems] == [
        ("E-channels", f"{path}:6:53"),
        ("E-channels", f"{path}:7:27"),
        ("E-channels", f"{path}:12:5"),
        ("E-groups", f"{path}:18:13"),
    ]


def test_a_block_that_is_wrong_in_an_anchor_is_said_once(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    nets = "h_s: {type: dual, mean: &h [{type: deconv, out: M, strid: 2}], scale: *h}"
    path.write_text(spoilt("h_s: [{type: deconv, out: 2*M, stride: 2}]", nets))
    with pytest.raises(SchemaError, match="unknown key 'strid'") as caught:
        check(path)
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    ("inside", "hint"),
    [
        ((), ""),
        (("a.yaml", "notes.txt"), "there is one in it: {folder}/a.yaml"),
        (("b.yml", "a.yaml"), "one of the 2 in it: {folder}/a.yaml, ..; `codecspec stats {folder}/*.yaml` checks and"),
    ],
    ids=["empty", "one", "two"],
)
def test_a_folder(tmp_path: Path, inside: tuple[str, ...], hint: str) -> None:
    for name in inside:
        (tmp_path / name).touch()
    with pytest.raises(
        SchemaError, match="it is a directory, and a spec is a YAML file or a name in the zoo"
    ) as caught:
        load_spec(tmp_path)
    assert (caught.value.code, caught.value.where) == ("E-unreadable", str(tmp_path))
    assert caught.value.hint.startswith(hint.format(folder=tmp_path))
    assert inside or not caught.value.hint


def test_a_folder_without_a_slash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "papers").mkdir()
    with pytest.raises(SchemaError, match="at papers: it is a directory"):
        load_spec("papers")


def test_a_typo_in_the_name_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").touch()
    with pytest.raises(SchemaError, match="no such file") as caught:
        load_spec(tmp_path / "mien.yaml")
    assert caught.value.hint == "did you mean 'mine.yaml'?"


def test_no_such_file(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.yaml"
    with pytest.raises(SchemaError, match="no such file; the zoo has: .*wacnn") as caught:
        load_spec(path)
    assert (caught.value.code, caught.value.where) == ("E-no-such-spec", f"{path}:1:1")


@pytest.mark.parametrize(
    ("name", "hint"), [("wacn", "did you mean 'wacnn'?"), ("zzz", ""), ("", ""), ("a\0b", "")], ids=repr
)
def test_no_such_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, hint: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SchemaError, match="no file and no zoo spec of that name; the zoo has: .*wacnn") as caught:
        load_spec(name)
    assert (caught.value.code, caught.value.where, caught.value.hint) == ("E-no-such-spec", f"{name}:1:1", hint)


def test_a_name_that_no_file_can_have() -> None:
    with pytest.raises(SchemaError, match="no file can have this name") as caught:
        load_spec("a" * 5000)
    assert caught.value.code == "E-no-such-spec"
    assert len(str(caught.value)) < 200
