"""The page of all commands, made from what their `--help` is made from."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import typer

from codecspec.cli import codecspec, compile_spec, infer_spec
from codecspec.cli.exits import MEANINGS, ExitCode

HEAD = """# Commands

Generated from the commands' own `--help`. Results go to stdout, explanations to stderr, so `infer-spec ckpt.pth >
spec.yaml` writes a spec and nothing else. Files appear under their name only when complete.

## Common behaviour

All commands share these:

- `--json`: stdout has one JSON document and nothing else. If the input is wrong, it is
  `{"ok": false, "problems": [{"code": .., "where": .., "message": .., "hint": ..}]}`, and the exit code is 2 as without
  `--json`; for several files, failures are listed beside the results. A number that is not finite is null.
- `-q`, `--quiet`: only results and errors: no notes, no progress bar, no line about a file that was written.
- `-v`, `--verbose`: more output, and at the end the time taken and the versions used.
- Colours and progress bars appear only on a terminal. `NO_COLOR=1` turns colours off, `FORCE_COLOR=1` turns them on in
  a pipe.
- Ctrl-C (and SIGTERM, and closing the terminal) ends a command and its processes with one line on stderr, and leaves no
  partial files. `codecspec eval -o FOLDER` can be resumed.
- `codecspec --install-completion` (also for `compile-spec` and `infer-spec`) installs shell completion for bash, zsh,
  fish and PowerShell: commands, options, names of the zoo, params of the given spec (`--set`) and layouts (`--to`).
  `--show-completion` prints it instead.

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
