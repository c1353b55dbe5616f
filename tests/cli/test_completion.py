"""Words that a shell completes, asked for as each shell asks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from codecspec import specs
from tests.cli.conftest import SCRIPTS

WACNN = ["N=192", "M=320", "slices=10", "max_support=5"]


def completed(folder: Path, line: str, shell: str = "bash") -> list[str]:
    """What is offered for the last word of a line, which may be empty."""
    words = line.split(" ")
    asked = {
        "bash": {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)},
        "zsh": {"_TYPER_COMPLETE_ARGS": line},
        "fish": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[shell]
    variable = f"_{words[0].replace('-', '_').upper()}_COMPLETE"
    done = subprocess.run(
        [SCRIPTS / words[0]],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, variable: f"complete_{shell}", **asked},
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1] if done.stdout.strip() else []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("codecspec sta", ["stats"]),
        ("codecspec stats --js", ["--json"]),
        ("codecspec stats wac", ["wacnn"]),
        ("codecspec stats my", ["my.yaml"]),
        ("codecspec stats wacnn --set ", WACNN),
        ("compile-spec wacnn --set N=3 --set ", WACNN[1:]),
        ("compile-spec my.yaml --set ", ["N=8"]),
        ("compile-spec wrong.yaml --set ", []),
        ("codecspec convert x.pth --spec wacnn --to ", ["canonical", "authors", "compressai"]),
        ("codecspec convert x.pth --to compressai-", ["compressai-1.2"]),
        ("codecspec compress a.png -m x.", ["x.safetensors"]),
        ("codecspec compress a.png -m x.safetensors --profile ", ["portable", "exact"]),
        ("codecspec inspect x", []),
        ("infer-spec --st", ["--strict"]),
    ],
)
def test_bash(tmp_path: Path, line: str, words: list[str]) -> None:
    (tmp_path / "my.yaml").write_text("codecspec: 1\nextends: mbt2018-mean\nname: my\nparams: {N: 8, M: 9}\n")
    (tmp_path / "wrong.yaml").write_text("codecspec: 1\nname: [")
    (tmp_path / "x.safetensors").touch()
    found = completed(tmp_path, line)
    assert found[: len(words)] == words
    assert bool(found) == bool(words), "where nothing fits, the shell completes files"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_zoo_in_every_shell(tmp_path: Path, shell: str) -> None:
    said = " ".join(completed(tmp_path, "compile-spec ", shell))
    assert [name for name in specs.names() if name not in said] == []


ASKED = {
    "bash": '''source ./script; COMP_WORDS=({line}); COMP_CWORD={last}
        _codecspec_completion codecspec; printf '%s\\n' "${{COMPREPLY[@]}}"''',
    "zsh": """compdef() {{}}; _arguments() {{ print -r -- "$@" }}; source ./script
        words=({line}); CURRENT={last}+1; _codecspec_completion""",
    "fish": "source ./script; complete -C '{line}'",
}
"""How a shell asks the function that was installed for the last word of a line."""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_what_is_installed_completes(tmp_path: Path, shell: str) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"no {shell} on this machine")
    path = f"{SCRIPTS}:{os.environ['PATH']}"
    disabled = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    environment = {**os.environ, **disabled, "HOME": str(tmp_path), "PATH": path}

    def said(*command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=True)
        assert done.stderr == ""
        return done.stdout

    (tmp_path / "script").write_text(said("codecspec", "--show-completion", shell))
    for line, word in (("codecspec stat", "stats"), ("codecspec stats stf --set hea", "heads=[3,6,12,24]")):
        asked = ASKED[shell].format(line=line, last=line.count(" "))
        flags = ["--norc"] if shell == "bash" else ["-f"] if shell == "zsh" else ["--no-config"]
        assert word in said(program, *flags, "-c", asked)


def test_names_that_a_shell_would_take_apart(tmp_path: Path) -> None:
    (tmp_path / "big model (1).safetensors").touch()
    line = "codecspec compress a.png -m big"
    assert completed(tmp_path, line, "bash") == [r"big\ model\ \(1\).safetensors"]
    assert completed(tmp_path, line, "fish") == ["big model (1).safetensors"]


PROBE = """
import json, sys
from codecspec.cli.codecspec import main
heavy = ("torch", "numpy", "yaml", "rich")
try:
    main()
finally:
    print(json.dumps([name for name in heavy if name in sys.modules]), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("line", "loaded"),
    [("codecspec z", []), ("codecspec stats wac", []), ("codecspec stats wacnn --set ", ["yaml"])],
)
def test_completion_loads_little(line: str, loaded: list[str]) -> None:
    asked = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" ")), "_CODECSPEC_COMPLETE": "complete_bash"}
    done = subprocess.run(
        [sys.executable, "-c", "import sys; sys.argv = ['codecspec']" + PROBE],
        capture_output=True,
        text=True,
        env={**os.environ, **asked},
        check=False,
    )
    assert json.loads(done.stderr) == loaded
