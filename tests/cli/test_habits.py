"""What all commands have in common, held over every command that there is: a new one is entered in `RUNS`, or fails."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import codecspec as cs
from codecspec.cli.exits import MEANINGS, ExitCode
from codecspec.runtime.results import Results
from docs.generators.commands_page import commands
from tests.cli.conftest import SCRIPTS, Command
from tests.contracts.source_files import ROOT, source_files, syntax_tree
from tests.runtime.small_codecs import small

COMMANDS = commands()
RUNS = {
    "compile-spec": ["mbt2018-mean", "--set", "N=8", "--check"],
    "infer-spec": ["x.safetensors"],
    "codecspec bd": ["a.json", "b.json"],
    "codecspec bench": ["x.safetensors", "--size", "32x32", "--runs", "1", "--no-keep-memory"],
    "codecspec compress": ["a.png", "-m", "x.safetensors", "-o", "out.csp"],
    "codecspec convert": ["x.safetensors", "--to", "canonical", "-o", "out.pth"],
    "codecspec decompress": ["x.csp", "-m", "x.safetensors", "-o", "out.png"],
    "codecspec diff": ["elic", "elic-chandelier"],
    "codecspec doctor": ["x.safetensors", "a.png"],
    "codecspec eval": ["x.safetensors", "a.png"],
    "codecspec inspect": ["x.safetensors"],
    "codecspec plot": ["a.json", "-o", "out.svg"],
    "codecspec scan": ["."],
    "codecspec schema": [],
    "codecspec stats": ["mbt2018-mean"],
    "codecspec stream": ["x.csp"],
    "codecspec zoo": [],
}
"""A run of each that succeeds, in the folder below."""
WRONG = {name: ["--no-such-option"] for name in RUNS} | {
    "compile-spec": ["none.yaml"],
    "infer-spec": ["none.pth"],
    "codecspec bd": ["a.json", "none.json"],
    "codecspec bench": ["none.safetensors"],
    "codecspec compress": ["none.png", "-m", "x.safetensors", "-o", "no.csp"],
    "codecspec convert": ["none.pth", "--to", "canonical", "-o", "no.pth"],
    "codecspec decompress": ["none.csp", "-m", "x.safetensors", "-o", "no.png"],
    "codecspec diff": ["wacnn", "none.yaml"],
    "codecspec doctor": ["none.pth"],
    "codecspec eval": ["x.safetensors", "none.png"],
    "codecspec inspect": ["none.pth"],
    "codecspec plot": ["none.json", "-o", "no.svg"],
    "codecspec scan": ["none"],
    "codecspec schema": ["-o", "none/x.json", "--json"],
    "codecspec stats": ["none.yaml"],
    "codecspec stream": ["none.csp"],
}
"""A run of each with input that is wrong."""
FINE = (ExitCode.DONE, ExitCode.FOUND)
ESCAPE = "\x1b["
EVERY = pytest.mark.parametrize("name", COMMANDS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("habits")
    cs.save(small("mbt2018-mean"), folder / "x.safetensors")
    samples = np.random.default_rng(0).integers(0, 256, (24, 30, 3), dtype=np.uint8)
    Image.fromarray(samples).save(folder / "a.png")
    (folder / "x.csp").write_bytes(cs.encode(cs.load(folder / "x.safetensors"), folder / "a.png"))
    for file, least in (("a.json", 28.0), ("b.json", 28.5)):
        points = {"bpp": (0.1, 0.2, 0.4, 0.8), "psnr-rgb": (least, least + 2, least + 4, least + 6)}
        Results(file[0], points, "measured").write(folder / file)
    return folder


@pytest.fixture(autouse=True)
def _there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for name in ("FORCE_COLOR", "NO_COLOR", "GITHUB_ACTIONS", "PY_COLORS"):
        monkeypatch.delenv(name, raising=False)


def run(command: Command, name: str, *options: str, wrong: bool = False) -> tuple[int, str, str]:
    program, *words = name.split()
    done = command(program, *words, *(WRONG if wrong else RUNS)[name], *options)
    return done.code, done.out, done.err


def strict_json(text: str) -> object:
    def refuse(constant: str) -> object:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_every_command_is_held_to_them() -> None:
    assert sorted(RUNS) == sorted(COMMANDS)
    assert sorted(WRONG) == sorted(COMMANDS)


@EVERY
def test_options_examples_and_exit_codes(name: str) -> None:
    options = {spelling for each in COMMANDS[name].params for spelling in each.opts}
    assert {"--json", "-q", "--quiet", "-v", "--verbose"} <= options
    helps = {each.name: each.help for each in COMMANDS[name].params}
    assert helps["quiet"].startswith("Print only ")
    assert helps["verbose"].startswith("Print more")
    said = COMMANDS[name].epilog
    assert said.startswith(f"Examples:\n\n  {name}")
    codes = {int(code) for code in re.findall(r"(\d+): ", said.rpartition("Exits with ")[2])}
    assert {0, 2, 130} <= codes <= set(ExitCode)


@EVERY
def test_json_alone_is_on_stdout(command: Command, name: str) -> None:
    code, out, _ = run(command, name, "--json")
    assert code in FINE
    assert strict_json(out)
    assert ESCAPE not in out


@EVERY
def test_json_of_an_error(command: Command, name: str) -> None:
    options = ["--json"] if "--json" not in WRONG[name] else []
    code, out, err = run(command, name, *options, wrong=True)
    said = strict_json(out)
    assert code == ExitCode.WRONG
    assert isinstance(said, dict)
    problems = [problem for each in said.get("failed", [said]) for problem in each["problems"]]
    assert said["ok"] is False
    assert all(each["code"].startswith("E-") and each["message"] for each in problems)
    assert problems
    assert err == ""


@EVERY
def test_an_argument_that_is_none_is_an_error_as_any_other(command: Command, name: str) -> None:
    code, out, err = run(command, name, "--no-such-option", "--json")
    assert (code, err) == (ExitCode.WRONG, "")
    assert json.loads(out)["problems"][0]["code"] == "E-usage"
    code, out, err = run(command, name, "--no-such-option")
    assert (code, out) == (ExitCode.WRONG, "")
    assert "No such option: --no-such-option" in err


@EVERY
def test_quiet_and_verbose(command: Command, name: str) -> None:
    code, out, err = run(command, name)
    quiet_code, quiet, quiet_err = run(command, name, "-q")
    assert code in FINE
    assert (quiet_code, quiet_err) == (code, "")
    assert len(quiet.splitlines()) <= len(out.splitlines())
    loud_code, loud, loud_err = run(command, name, "-v")
    assert loud_code == code
    assert len(loud.splitlines()) >= len(out.splitlines())
    assert re.match(r"took \d+\.\d\d s, \d+\.\d\d s of CPU; codecspec \S+, Python 3\.", loud_err.splitlines()[-1])
    assert run(command, name, "-q", "-v")[0] == ExitCode.WRONG
    assert not any(ESCAPE in text for text in (out, err, quiet, loud, loud_err)), "no colours but on a terminal"


@EVERY
def test_a_reader_that_goes_away(name: str) -> None:
    """The buffer is flushed when all is printed, or while it is; neither is a traceback."""
    program, *words = name.split()
    if program == "codecspec" and words[0] in ("bench", "compress", "decompress", "doctor", "eval", "convert"):
        pytest.skip("they load PyTorch, and print as the others do")
    expected = ExitCode.FOUND if name == "codecspec diff" else ExitCode.CLOSED
    assert without_a_reader(program, *words, *RUNS[name]) in (expected, ExitCode.CLOSED)


@pytest.mark.parametrize(
    "words",
    [*(f"{name} --help" for name in COMMANDS), "codecspec --help", "codecspec", "codecspec --version"],
)
def test_a_reader_of_help_that_goes_away(words: str) -> None:
    assert without_a_reader(*words.split()) == ExitCode.CLOSED


def without_a_reader(program: str, *words: str) -> int:
    """The exit code of a command whose output nobody reads; it must be quiet."""
    reading, writing = os.pipe()
    os.close(reading)
    child = subprocess.run([SCRIPTS / program, *words], stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert "Traceback" not in child.stderr
    assert "Exception" not in child.stderr
    return child.returncode


@EVERY
def test_an_interrupt(command: Command, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("codecspec.cli.command.time.process_time", interrupted)
    assert run(command, name) == (ExitCode.INTERRUPTED, "", "interrupted\n")


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)],
    ids=["a pipe", "FORCE_COLOR", "NO_COLOR"],
)
@pytest.mark.parametrize("words", [["codecspec", "--help"], ["compile-spec", "--help"]], ids=" ".join)
def test_colours(words: list[str], environment: dict[str, str], coloured: bool) -> None:
    """NO_COLOR is about colours: bold and dim may stay."""
    child = subprocess.run(
        [SCRIPTS / words[0], *words[1:]],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "TERM": "xterm-256color", **environment},
    )
    colours = re.findall(r"\x1b\[(?:\d+;)*(?:3[0-7]|9[0-7]|38;[\d;]+)m", child.stdout)
    assert bool(colours) == coloured
    assert environment or ESCAPE not in child.stdout


def test_tables_keep_their_width_under_force_color(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = command("codecspec", "zoo").out
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    coloured = command("codecspec", "zoo").out
    assert ESCAPE in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == plain


def test_no_command_ends_with_another_code() -> None:
    """What is handed to `typer.Exit` is an `ExitCode`, and each has its meaning."""
    given = [
        (file, ast.unparse(node.args[0]))
        for file in source_files("codecspec")
        for node in ast.walk(syntax_tree(file))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "typer.Exit" and node.args
    ]
    assert given
    assert [each for each in given if not re.fullmatch(r"ExitCode\.[A-Z]+", each[1])] == []
    assert set(MEANINGS) == set(ExitCode)


def test_the_version(command: Command) -> None:
    assert re.fullmatch(r"codecspec \d\S*, Python 3\.\S+.*\n", command("codecspec", "--version").out)


def test_numbers_that_are_not_finite_are_null(capsys: pytest.CaptureFixture[str]) -> None:
    from codecspec.cli.say import print_json

    print_json({"a": [float("inf"), float("nan"), 1.5], "b": (1, None)})
    assert strict_json(capsys.readouterr().out) == {"a": [None, None, 1.5], "b": [1, None]}


def test_public_names_are_where_they_are_said_to_be() -> None:
    tree = ast.parse((ROOT / "codecspec" / "__init__.py").read_text())
    shown = next(node for node in tree.body if isinstance(node, ast.If))
    homes = {
        alias.name: (each.module or "").removeprefix("codecspec.")
        for each in shown.body
        if isinstance(each, ast.ImportFrom)
        for alias in each.names
    }
    assert homes.pop("zoo") == "codecspec"
    assert homes == cs._MODULES
    assert sorted({*homes, "zoo"}) == sorted(cs.__all__)
    assert {*cs.__all__} <= {*dir(cs)}
    assert all(getattr(cs, name) is not None for name in cs.__all__)
    with pytest.raises(AttributeError, match="module 'codecspec' has no attribute 'nothing'"):
        _ = cs.nothing
