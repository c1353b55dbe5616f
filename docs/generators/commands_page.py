"""The page of all commands, made from what their `--help` is made from."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import typer

from codecspec.cli import codecspec, compile_spec, infer_spec
from codecspec.cli.exits import MEANINGS, ExitCode

HEAD = """# Commands

Generated from the commands themselves when this page was built. Results go to stdout, what is said about them to
stderr, so `infer-spec ckpt.pth > spec.yaml` gives a spec and nothing else. A file appears under its name only once it
is whole.

## Habits

All commands have these in common:

- `--json`: stdout has one JSON document and nothing else. Where the input is wrong, that is
  `{"ok": false, "problems": [{"code": .., "where": .., "message": .., "hint": ..}]}`, and the exit code is 2 as without
  it; of several files that a command works on, what failed stands beside what did not. A number that is not finite is
  null.
- `-q`, `--quiet`: nothing but results and errors: no notes, no progress bar, no line about a file that was written.
- `-v`, `--verbose`: more, and at the end what the command took, and the versions of what it ran with.
- Colours and progress bars are for terminals. `NO_COLOR=1` takes the colours away there, `FORCE_COLOR=1` gives them to
  a pipe.
- Ctrl-C (and SIGTERM, and a terminal that is closed) ends a command and the processes that it started with one line on
  stderr; no half of a file is left. `codecspec eval -o FOLDER` goes on from there.
- `codecspec --install-completion` teaches the shell (bash, zsh, fish, PowerShell) commands, options, the names of the
  zoo, the params of the spec that is typed (`--set`) and layouts (`--to`); so do those of `compile-spec` and
  `infer-spec`. `--show-completion` prints what that would install.

## Exit codes

"""


def commands_page() -> str:
    """The page, as Markdown."""
    return "\n".join(
        [HEAD + exit_codes(), *(line for name, command in commands().items() for line in _command(name, command))]
    )


def exit_codes() -> str:
    """Every exit code, as a table."""
    rows = [f"| {int(code)} | {MEANINGS[code]} |" for code in ExitCode]
    return "\n".join(["| code | when |", "| --- | --- |", *rows, ""])


def commands() -> dict[str, Any]:
    """Every command by what one types."""
    found = {
        "compile-spec": typer.main.get_command(compile_spec.app),
        "infer-spec": typer.main.get_command(infer_spec.app),
    }
    group = typer.main.get_command(codecspec.app)
    return found | {f"codecspec {name}": command for name, command in sorted(vars(group)["commands"].items())}


def examples(command: Any) -> list[str]:
    """What its `--help` shows as examples."""
    lines = [line.strip() for line in (command.epilog or "").splitlines()]
    return [line for line in lines if line.startswith(("codecspec", "compile-spec", "infer-spec"))]


def _command(name: str, command: Any) -> Iterator[str]:
    yield f"## {name}\n"
    yield f"{inspect.cleandoc(command.help or '')}\n"
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    usage = [name, *(str(each.metavar or each.name).upper() for each in arguments), "[OPTIONS]"]
    yield f"    {' '.join(usage)}\n"
    yield "| argument | meaning |\n| --- | --- |"
    for each in command.params:
        if each.name not in ("help", "quiet", "verbose", "install_completion", "show_completion"):
            yield f"| {_spelling(each)} | {_cell(getattr(each, 'help', '') or '')}{_default(each)} |"
    yield "\nFor example:\n"
    yield "\n".join(f"    {line}" for line in examples(command)) + "\n"


def _spelling(option: Any) -> str:
    if option.param_type_name == "argument":
        return f"`{str(option.metavar or option.name).upper().replace('|', ' or ')}`"
    value = "" if getattr(option, "is_flag", False) else f" {option.metavar or option.name.upper()}"
    return f"`{', '.join(option.opts)}{value}`".replace("|", " or ")


def _default(option: Any) -> str:
    value = option.default
    shown = isinstance(value, (int, float, str)) and not isinstance(value, bool) and str(value) != ""
    return f" Default: {value}." if shown else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "&#124;")
