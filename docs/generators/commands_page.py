"""The page of all commands, made from what their `--help` is made from."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import typer

from codecspec.cli import codecspec, compile_spec, infer_spec

HEAD = """# Commands

Generated from the commands themselves when this page was built. Results go to stdout, what is said about them to
stderr, so `infer-spec ckpt.pth > spec.yaml` gives a spec and nothing else. A file appears under its name only once it
is whole.

## Exit codes

| code | when |
| --- | --- |
| 0 | done |
| 1 | `codecspec diff` found differences, `codecspec doctor` something wrong; or the reader of the output went away |
| 2 | the input is wrong (of several, one): stderr says what, where, what is allowed; see [errors](errors.md) |
| 3 | `infer-spec --strict`, and no single family has these tensors |
| 130 | interrupted |
"""


def commands_page() -> str:
    """The page, as Markdown."""
    return "\n".join([HEAD, *(line for name, command in commands().items() for line in _command(name, command))])


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
    lines = [line.strip().removeprefix("Example: ") for line in (command.epilog or "").splitlines()]
    return [line for line in lines if line and line != "Examples:"]


def _command(name: str, command: Any) -> Iterator[str]:
    yield f"## {name}\n"
    yield f"{inspect.cleandoc(command.help or '')}\n"
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    usage = [name, *(str(each.metavar or each.name).upper() for each in arguments), "[OPTIONS]"]
    yield f"    {' '.join(usage)}\n"
    yield "| argument | meaning |\n| --- | --- |"
    for each in command.params:
        if each.name != "help":
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
