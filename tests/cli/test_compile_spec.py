"""`compile-spec`: what it says, where, and with which exit code."""

from __future__ import annotations

import json
import os
import re
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import codecspec as cs
from codecspec import specs
from codecspec.cli.say import console
from codecspec.compiler.canonical import canonical_dict
from codecspec.compiler.layouts import load_layout
from codecspec.compiler.plan import PARTS
from tests.cli.conftest import SCRIPTS, Command
from tests.compiler.test_layouts import exported
from tests.runtime.small_codecs import SMALL, images, small

BAD = """codecspec: 1
extends: mbt2018-mean
name: bad
params: {N: 12, M: 18}
g_a:
  - {type: conv, out: N, kernal: 5, stride: 2}
  - {type: gnd}
"""
TWO_PARAMS = ("--set", "N=12", "--set", "M=18")
SMALL_WACNN = [word for name, value in SMALL["wacnn"].items() for word in ("--set", f"{name}={value}")]


def small_plan() -> Any:
    return cs.lower(cs.load_spec("mbt2018-mean", N=12, M=18))


def test_check_says_ok(command: Command) -> None:
    done = command("compile-spec", "wacnn", "--check")
    plan = cs.lower(cs.load_spec("wacnn"))
    expected = f"wacnn: ok, {plan.parameters:,} parameters, hash {cs.spec_hash(plan.spec)[:12]}\n"
    assert (done.code, done.out, done.err) == (0, expected, "")


@pytest.mark.parametrize("name", sorted(SMALL))
def test_the_zoo_checks_out(command: Command, name: str) -> None:
    done = command("compile-spec", name, "--check")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"{name}: ok, ")


def test_bad_specs_are_said_with_their_place(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(BAD)
    done = command("compile-spec", path, "--check")
    assert (done.code, done.out) == (2, "")
    problems = [line for line in done.err.splitlines() if line.startswith("E-")]
    assert [problem.partition(": ")[0] for problem in problems] == [
        f"E-unknown-key at {path}:6:26",
        f"E-unknown-type at {path}:7:12",
    ]
    assert done.err.count("hint: did you mean") == 2


def test_bad_specs_in_a_process_of_their_own(process: Command, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(BAD)
    done = process("compile-spec", "bad.yaml")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("E-unknown-key at bad.yaml:6:26: unknown key 'kernal'")


def test_a_spec_that_is_not_there(process: Command) -> None:
    done = process("compile-spec", "wacn")
    assert done.code == 2
    assert done.err.startswith("E-no-such-spec at wacn:1:1: no file and no zoo spec of that name; the zoo has:")
    assert done.err.endswith("hint: did you mean 'wacnn'?\n")


@pytest.mark.parametrize(
    ("assignments", "expected"),
    [
        (["N=8"], {"N": 8, "M": 192}),
        (["N=8", "M=12"], {"N": 8, "M": 12}),
        (["N= 8 "], {"N": 8, "M": 192}),
        (["M=2*N"], {"N": 128, "M": 256}),
        (["N=8", "M=max(N, 3) + 2"], {"N": 8, "M": 10}),
    ],
)
def test_set_puts_params_in_place(command: Command, assignments: list[str], expected: dict[str, Any]) -> None:
    done = command("compile-spec", "mbt2018-mean", "--json", *(f"--set={each}" for each in assignments))
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report["params"] == expected
    spec = cs.load_spec("mbt2018-mean", **expected)
    assert report["hash"] == cs.spec_hash(cs.lower(spec).spec)
    assert report["parameters"] == cs.lower(spec).parameters


def test_set_takes_lists(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "lists.yaml"
    written, params = specs.path("bmshj2018-hyperprior").read_text(), "params: {N: 128, M: 192}"
    assert written.count(params) == 1
    path.write_text(written.replace(params, "params: {widths: [4, 8], N: sum(widths), M: 18}"))
    done = command("compile-spec", path, "--json", "--set", "widths=[3, 5, 7]")
    assert done.code == 0, done.out
    assert json.loads(done.out)["params"] == {"widths": [3, 5, 7], "N": 15, "M": 18}


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        (["K=3"], "E-unknown-param at --set K=3: no param 'K'; params: N, M"),
        (["N"], "E-usage at --set N: a param is set as NAME=VALUE, e.g. --set N=128"),
        (["N="], "E-usage at --set N=: a param is set as NAME=VALUE"),
        (["=8"], "E-usage at --set =8: a param is set as NAME=VALUE"),
        (["N=8", "N=9"], "E-usage at --set N=9: the param N is set twice"),
        (["N=8\nM: 12"], "E-usage at --set N=8"),
        (["N=["], "E-yaml at --set N=[: not YAML"),
        (["N=8,M=12"], "E-usage at --set N=8,M=12: one param for each --set"),
        (["N=8 / 2"], "E-expression at --set N=8 / 2: "),
        (["N=true"], "E-value at --set N=true: "),
        (["N={a: 1}"], "E-value at --set N={..}: "),
        (["N=8.5"], "E-value at --set N=8.5: an integer is needed, found 8.5 (at "),
        (["M=0"], "E-value at --set M=0: 'out' is 0 (M); it must be at least 1 (at "),
        (["N=-3"], "E-value at "),
    ],
)
def test_set_refuses_what_is_no_param(command: Command, assignments: list[str], message: str) -> None:
    done = command("compile-spec", "mbt2018-mean", "--check", *(f"--set={each}" for each in assignments))
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(message)


def test_json_is_the_plan(command: Command) -> None:
    done = command("compile-spec", "mbt2018-mean", "--json", *TWO_PARAMS)
    assert (done.code, done.err) == (0, "")
    report, plan = json.loads(done.out), small_plan()
    nodes, manifest, spec = (report.pop(key) for key in ("nodes", "manifest", "spec"))
    assert report == {
        "ok": True,
        "name": "mbt2018-mean",
        "hash": cs.spec_hash(plan.spec),
        "params": {"N": 12, "M": 18},
        "parameters": plan.parameters,
        "tensors": len(plan.manifest()),
        "stride": 64,
        "parameters_by_part": dict(plan.parameters_by_part()),
        "macs_per_pixel_by_part": {part: float(macs) for part, macs in plan.macs_by_part().items()},
    }
    assert spec == json.loads(json.dumps(canonical_dict(plan.spec)))
    assert [node["path"] for node in nodes] == [node.path for node in plan.walk()]
    for found, node in zip(nodes, plan.walk(), strict=True):
        assert (found["kind"], found["parameters"]) == (node.kind, node.parameters)
        assert found["channels"] == [node.c_in, node.c_out]
        assert found["macs_per_pixel"] == float(node.total_macs)
    state = cs.build(plan).state_dict()
    assert list(manifest) == list(plan.manifest())
    assert {key: each["shape"] for key, each in manifest.items()} == {k: list(t.shape) for k, t in state.items()}
    assert {key: f"torch.{each['dtype']}" for key, each in manifest.items()} == {
        k: str(t.dtype) for k, t in state.items()
    }
    learned = {key for key, _ in cs.build(plan).named_parameters()}
    assert {key for key, each in manifest.items() if each["role"] == "parameter"} == learned
    scales = {node["path"]: node["scale"] for node in nodes}
    assert (scales["g_a.0"], scales["g_a"]) == (["1", "1/2"], ["1", "1/16"])
    assert (scales["g_s.6"], scales["latent_codec.h_a"]) == (["1/2", "1"], ["1/16", "1/64"])


def test_json_of_a_check_is_short(command: Command) -> None:
    done = command("compile-spec", "mbt2018-mean", "--check", "--json")
    report = json.loads(done.out)
    assert done.code == 0
    assert report["ok"] is True
    assert {"nodes", "manifest", "spec"}.isdisjoint(report)


def test_json_of_errors(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(BAD)
    done = command("compile-spec", path, "--json")
    assert (done.code, done.err) == (2, "")
    with pytest.raises(cs.SchemaError, match="E-unknown-key") as caught:
        cs.load_spec(path)
    assert json.loads(done.out) == {
        "ok": False,
        "problems": [
            {"code": p.code, "where": p.where, "message": p.message, "hint": p.hint} for p in caught.value.problems
        ],
    }


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["wacnn", "--set", "N"], "E-usage"),
        (["wacnn", "--weights", "nothing.pth"], "E-checkpoint"),
        (["wacnn", "-o", "nothing/x.safetensors"], "E-output"),
        (["wacnn", "--tree"], "E-usage"),
    ],
)
def test_every_error_is_json_if_asked(command: Command, args: list[str], code: str) -> None:
    done = command("compile-spec", *args, "--json")
    assert done.code == 2
    report = json.loads(done.out)
    assert [problem["code"] for problem in report["problems"]] == [code]
    assert report["ok"] is False


@pytest.mark.parametrize("name", sorted(SMALL))
def test_the_tree_adds_up_to_the_plan(command: Command, name: str) -> None:
    done = command("compile-spec", name, "--tree")
    assert (done.code, done.err) == (0, "")
    plan = cs.lower(cs.load_spec(name))
    nodes, _, totals = done.out.partition("part ")
    parameters, macs = plan.parameters_by_part(), plan.macs_by_part()
    branch = {"aux"} & parameters.keys()  # which coding does not run, and `all` not count
    rows = [line.split() for line in totals.splitlines()[1:]]
    assert [row[0] for row in rows[: len(parameters) + 1]] == [*PARTS, "all", *branch]
    coding = [(parameters[part], macs[part]) for part in PARTS]
    figures = [*coding, (sum(count for count, _ in coding), sum(work for _, work in coding))]
    figures += [(parameters[part], macs[part]) for part in branch]
    for (count, work), row in zip(figures, rows, strict=False):
        assert int(row[-2].replace(",", "")) == count
        assert float(row[-1].replace(",", "")) == pytest.approx(float(work) / 1e3, abs=6e-4)
    assert f"{plan.parameters:,} parameters in {len(plan.manifest())} tensors" in totals
    assert f"hash {cs.spec_hash(plan.spec)[:12]}" in totals
    kinds = {node.kind for node in plan.walk()}
    found = [
        next(word for word in line.split() if word in kinds) for line in nodes.splitlines()[1:] if line.split()[1:]
    ]
    assert found == [node.kind for node in plan.walk()]


def columns(lines: list[str], titles: list[str]) -> list[dict[str, str]]:
    """The cells of a table by its titles: the first is on the left, the others end where their titles do."""
    head, *rows = lines
    ends = [head.index(title) + len(title) for title in titles]
    return [{t: row[e - 12 : e].rpartition("  ")[2].strip() for t, e in zip(titles, ends, strict=True)} for row in rows]


@pytest.mark.parametrize("name", ["mbt2018-mean", "elic", "wacnn"])
def test_each_row_of_the_tree_is_what_torch_says(command: Command, name: str) -> None:
    """Channels, resolution, tensors, parameters and multiply-accumulates of each module, from a forward pass."""
    side = 256
    codec = small(name)
    codec.numerics = "reference"
    plan = cs.lower(codec.spec)
    sizes: dict[str, tuple[int, int, Fraction]] = {}

    def watch(path: str, given: Any, out: Any) -> None:
        if len(given) == 1 and isinstance(out, torch.Tensor):
            sizes[path] = given[0].shape[1], out.shape[1], Fraction(out.shape[-1], side)

    for node in plan.walk():
        module = codec.get_submodule(node.path)
        module.register_forward_hook(lambda _, given, out, path=node.path: watch(path, given, out))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        codec(images(1, side, side))
    flops = {path.removeprefix("Codec."): sum(ops.values()) for path, ops in counter.get_flop_counts().items()}
    params = [f"--set={key}={value}" for key, value in SMALL[name].items()]
    tree, _, totals = command("compile-spec", name, "--tree", *params).out.partition("part ")
    least = min(scale for _, _, scale in sizes.values())
    assert f", images padded to multiples of {1 / least}, " in totals
    lines = tree.splitlines()
    rows = columns(lines, ["channels", "scale", "tensors", "parameters", "kMAC/px"])
    assert len(sizes) > 20
    for node, row in zip(plan.walk(), rows, strict=True):
        module = codec.get_submodule(node.path)
        parameters = sum(each.numel() for each in module.parameters())
        assert (row["tensors"] or "0", row["parameters"] or "0") == (str(len(module.state_dict())), f"{parameters:,}")
        if node.path in sizes:
            before, after, scale = sizes[node.path]
            assert row["channels"] == (str(before) if before == after else f"{before} > {after}"), node.path
            assert row["scale"] == str(scale), node.path
            kmacs = flops.get(node.path, 0) / 2 / side**2 / 1000
            assert float(row["kMAC/px"].replace(",", "") or 0) == pytest.approx(kmacs, abs=6e-4), node.path


def test_the_tree_is_shown_if_nothing_else_is_asked(command: Command) -> None:
    bare, tree = (command("compile-spec", "mbt2018-mean", *options) for options in ([], ["--tree"]))
    assert bare.out == tree.out
    assert "latent_codec" in bare.out


def test_the_tree_of_a_pipe_is_as_wide_as_it_needs(process: Command) -> None:
    done = process("compile-spec", "wacnn", "--tree")
    assert done.code == 0
    assert "…" not in done.out
    assert max(len(line) for line in done.out.splitlines()) <= 140


@pytest.mark.parametrize("name", ["tcm", "cca", "elic"])
def test_the_tree_in_a_narrow_terminal_cuts_no_figure(
    command: Command, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    whole = command("compile-spec", name).out.splitlines()
    monkeypatch.setattr("codecspec.cli.fitting_table.console", lambda _: console(80))
    narrow = command("compile-spec", name).out.splitlines()
    assert "too narrow for: tensors, fields, scale; a pipe has them (| less -S)" in narrow
    figure = re.compile(r"(?<=\s)(?:[\d,]+\.\d{3}|\d{1,3}(?:,\d{3})+)(?=\s|$)")
    assert list(map(figure.findall, whole)) == [figure.findall(line) for line in narrow if "too narrow" not in line]
    assert max(len(line) for line in narrow if "parameters in" not in line) <= 80


def test_the_tree_shows_the_widths_of_nets(command: Command) -> None:
    lines = command("compile-spec", "elic", "--tree").out.splitlines()
    says = {line.split()[0]: line for line in lines if "=[" in line}
    assert "widths=[224,128]" in says["channel_context.y1"]
    nets = [line for line in lines if line.split()[:1] == ["entropy_parameters"]]
    assert ["widths=[469,384]" in net for net in nets] == [False, False, False, True, False]
    assert ["widths=[896,640]" in net for net in nets] == [False, False, False, False, True]
    assert not any("widths" in line for line in lines if "checkerboard" in line)


def test_saved_codecs_load(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    done = command("compile-spec", "mbt2018-mean", *TWO_PARAMS, "-o", path, "--seed", "7")
    assert done.code == 0
    assert done.err == "note: no --weights: the codec gets its initial, untrained weights (seed 7)\n"
    assert done.out.endswith(f"saved {path} ({path.stat().st_size:,} bytes)\n")
    codec = cs.load(path)
    assert codec.spec_hash == cs.spec_hash(small_plan().spec)
    torch.manual_seed(7)
    expected = cs.build(small_plan())
    assert all(torch.equal(codec.state_dict()[key], p) for key, p in expected.named_parameters())
    assert list(tmp_path.iterdir()) == [path]


def test_seeds_make_the_weights(command: Command, tmp_path: Path) -> None:
    def weights(*options: object) -> torch.Tensor:
        path = tmp_path / "x.safetensors"
        assert command("compile-spec", "mbt2018-mean", *TWO_PARAMS, "-o", path, *options).code == 0
        return cs.load(path).get_parameter("g_a.0.weight")

    first = weights()
    assert torch.equal(weights("--seed", 0), first)
    assert not torch.equal(weights("--seed", 1), first)
    assert not torch.equal(weights("--seed", 2**64 - 1), first)


@pytest.mark.parametrize("seed", [-1, 2**64, "x"])
def test_seeds_that_are_none_are_refused(command: Command, seed: object) -> None:
    done = command("compile-spec", "mbt2018-mean", *TWO_PARAMS, f"--seed={seed}")
    assert done.code == 2
    assert "Invalid value for '--seed'" in done.said


def test_weights_in_the_authors_layout(command: Command, tmp_path: Path) -> None:
    checkpoint, path = tmp_path / "authors.pth.tar", tmp_path / "x.safetensors"
    tensors = exported(load_layout("authors-wacnn"), "wacnn")
    torch.save({"state_dict": tensors, "epoch": 3}, checkpoint)
    done = command("compile-spec", "wacnn", *SMALL_WACNN, "--weights", checkpoint, "-o", path)
    assert (done.code, done.err) == (0, "")
    assert f"{checkpoint}: layout {load_layout('authors-wacnn').name}\n" in done.out
    x, reference, codec = images(1, 64, 64), small("wacnn"), cs.load(path)
    with torch.no_grad():
        assert torch.equal(codec(x)["x_hat"], reference(x)["x_hat"])


def test_weights_without_an_output_are_checked(command: Command, tmp_path: Path) -> None:
    checkpoint = tmp_path / "authors.pth.tar"
    torch.save(exported(load_layout("authors-wacnn"), "wacnn"), checkpoint)
    done = command("compile-spec", "wacnn", *SMALL_WACNN, "--weights", checkpoint, "--json")
    assert done.code == 0
    report = json.loads(done.out)
    layout = load_layout("authors-wacnn").name
    assert report["layout"] == layout
    assert report["conversion"][0] == f"{checkpoint}: layout {layout}"
    assert "saved" not in report
    assert list(tmp_path.iterdir()) == [checkpoint]


def test_weights_that_do_not_fit_are_all_named_and_nothing_is_written(command: Command, tmp_path: Path) -> None:
    tensors = exported(load_layout("authors-wacnn"), "wacnn")
    del tensors["g_a.0.weight"], tensors["h_mean_s.2.0.bias"]
    tensors["g_s.8.bias"] = torch.zeros(9)
    tensors["extra.bias"] = torch.zeros(1)
    checkpoint, path = tmp_path / "authors.pth.tar", tmp_path / "x.safetensors"
    torch.save(tensors, checkpoint)
    done = command("compile-spec", "wacnn", *SMALL_WACNN, "--weights", checkpoint, "-o", path)
    assert (done.code, done.out) == (2, "")
    named = sorted(line.partition(": ")[0] for line in done.err.splitlines() if line.startswith("E-"))
    assert named == [
        "E-tensors at extra.bias",
        "E-tensors at g_a.0.weight",
        "E-tensors at g_s.8.bias",
        "E-tensors at latent_codec.h_s.h_mean_s.2.0.bias",
    ]
    assert list(tmp_path.iterdir()) == [checkpoint]


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 cut", b"\x80\x02."])
def test_weights_that_are_none_are_refused(command: Command, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.pth"
    path.write_bytes(content)
    done = command("compile-spec", "mbt2018-mean", "--weights", path)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"E-checkpoint at {path}: ")


@pytest.mark.parametrize(
    ("name", "message"), [("x.pth", "no such file"), (".", "it is a directory"), ("a" * 300, "no such")]
)
def test_weights_that_are_not_there(command: Command, tmp_path: Path, name: str, message: str) -> None:
    done = command("compile-spec", "mbt2018-mean", "--weights", tmp_path / name)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"E-checkpoint at {tmp_path / name}: {message}")


def never(*_: object, **__: object) -> None:
    pytest.fail("time was spent before the arguments were looked at")


def test_an_output_without_a_folder_is_refused_before_anything_is_built(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codecspec.compiler.lower.lower", never)
    path = tmp_path / "nothing" / "x.safetensors"
    done = command("compile-spec", "wacnn", "-o", path)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"E-output at {path}: it cannot be written: No such file or directory\n"
    done = command("compile-spec", "wacnn", "-o", tmp_path)
    assert (done.code, done.err) == (2, f"E-output at {tmp_path}: it is a directory\n")
    done = command("compile-spec", "wacnn", "-o", "a" * 300)
    assert (done.code, "File name too long" in done.err) == (2, True)
    (tmp_path / "file").touch()
    done = command("compile-spec", "wacnn", "-o", tmp_path / "file" / "x")
    assert (done.code, "Not a directory" in done.err) == (2, True)


@pytest.mark.parametrize("other", ["spec", "weights"])
def test_an_output_over_an_input_is_refused(command: Command, tmp_path: Path, other: str) -> None:
    spec, weights = tmp_path / "my.yaml", tmp_path / "x.safetensors"
    spec.write_text("codecspec: 1\nextends: mbt2018-mean\nname: my\nparams: {N: 12, M: 18}\n")
    cs.save(small("mbt2018-mean"), weights)
    before = spec.read_bytes(), weights.read_bytes()
    output = tmp_path / "." / {"spec": spec, "weights": weights}[other].name
    done = command("compile-spec", spec, "--weights", weights, "-o", output)
    assert done.code == 2
    assert done.err.startswith(f"E-usage at {output}: the same command uses this file for something else")
    assert (spec.read_bytes(), weights.read_bytes()) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--check", "-o", "x.safetensors"], "E-usage at --check: it only checks the spec"),
        (["--check", "--weights", "x.pth"], "E-usage at --check: it only checks the spec"),
        (["--check", "--tree"], "E-usage at --tree: --check shows no tree"),
    ],
)
def test_options_of_which_one_would_be_ignored_are_refused(command: Command, options: list[str], message: str) -> None:
    done = command("compile-spec", "wacnn", *options)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(message)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "Missing argument 'SPEC|NAME'"),
        (["wacnn", "--bogus"], "No such option: --bogus"),
        (["wacnn", "mbt2018-mean"], "unexpected extra argument"),
        (["wacnn", "--set"], "requires an argument"),
    ],
)
def test_wrong_arguments_say_what_is_wrong(command: Command, args: list[str], message: str) -> None:
    done = command("compile-spec", *args)
    assert (done.code, done.out) == (2, "")
    assert message in done.said


def test_weights_in_place_of_a_spec_are_told_apart(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    cs.save(small("mbt2018-mean"), path)
    for words in (("compile-spec", path), ("codecspec", "stats", path)):
        done = command(*words)
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith(f"E-no-such-spec at {path}:1:1: it is a file of weights, and a spec is YAML\n")
        assert "infer-spec" in done.err


def test_another_models_weights_are_no_wall_of_text(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    cs.save(small("mbt2018-mean"), path)
    words = ("compile-spec", "wacnn", "--weights", path)
    problems = json.loads(command(*words, "--json").out)["problems"]
    lines = command(*words).err.splitlines()
    assert len(problems) > 100
    assert len(lines) == 21
    assert lines[-1] == f"and {len(problems) - 20} more; `problems`, or --json, has all"


@pytest.mark.parametrize("name", ["x.pth", "x", "x.json"])
def test_a_codec_is_saved_as_what_its_name_says(command: Command, tmp_path: Path, name: str) -> None:
    done = command("compile-spec", "mbt2018-mean", "-o", tmp_path / name)
    assert (done.code, list(tmp_path.iterdir())) == (2, [])
    assert "a codec is saved with its spec, in a file that ends in .safetensors" in done.said
    assert "`codecspec convert` writes its tensors in other formats" in done.said


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_has_examples(command: Command, flag: str) -> None:
    done = command("compile-spec", flag)
    assert (done.code, done.err) == (0, "")
    text = " ".join(done.out.split())
    for example in ("compile-spec my.yaml --check", "--set N=128", "--weights ckpt.pth.tar -o wacnn.safetensors"):
        assert example in text


def test_an_interrupt_is_said_and_is_130(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("codecspec.schema.load.load_spec", interrupt)
    done = command("compile-spec", "wacnn")
    assert (done.code, done.out, done.err) == (130, "", "interrupted\n")


@pytest.mark.parametrize("options", [["--check"], ["--json"]], ids=["little", "much"])
def test_a_reader_that_goes_away_is_no_traceback(options: list[str]) -> None:
    """`compile-spec wacnn | true`: what does not fit the pipe's buffer, and what fails at the last flush only."""
    command = [str(SCRIPTS / "compile-spec"), "wacnn", *options]
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=buffered)
    assert child.stdout is not None
    child.stdout.close()
    assert child.stderr is not None
    said = child.stderr.read()
    child.stderr.close()
    assert (child.wait(), said) == (141, "")
