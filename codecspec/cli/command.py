"""What all commands have in common: `-q`, `-v`, examples, exit codes in `--help`, and a closed pipe."""

from __future__ import annotations

import inspect
import platform
import sys
import time
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from codecspec.cli.exits import ExitCode
from codecspec.cli.say import Loudness, report, speaking
from codecspec.schema.errors import UsageError

Function = Callable[..., None]
_MEANS = {
    ExitCode.DONE: "done",
    ExitCode.WRONG: "the input is wrong",
    ExitCode.INTERRUPTED: "interrupted",
}
_QUIET = Annotated[bool, typer.Option("-q", "--quiet", help="Print only results and errors.")]
_VERBOSE = Annotated[bool, typer.Option("-v", "--verbose", help="Print more, and at the end time and versions.")]


def new_app(help_text: str = "", example: str = "") -> typer.Typer:
    """An app for a console script; its `--install-completion` teaches the shell its words.

    Args:
        help_text: what the commands in it are for, where there are several.
        example: how they are called.
    """
    app = typer.Typer(
        pretty_exceptions_enable=False,
        no_args_is_help=bool(help_text),
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    if help_text:
        app.callback(cls=_Several, help=help_text, epilog=f"Example: {example}")(_several)
    return app


class _Several(TyperGroup):
    """Commands below one program; those that are programs themselves are looked for here, too."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] in ("compile-spec", "infer-spec") and not ctx.resilient_parsing:  # as where a shell completes
            message = "it is a program of its own, and no command of codecspec"
            raise UsageError("E-usage", args[0], message, " ".join(args))
        return super().resolve_command(ctx, args)


def _say_version(asked: bool) -> None:
    if asked:
        print(_programs())
        raise typer.Exit


_VERSION = typer.Option("--version", help="Print the version.", callback=_say_version, is_eager=True)


def _several(version: Annotated[bool, _VERSION] = False) -> None:
    """What stands before a command: nothing but `--version`, which ends there."""


def add_command(
    app: typer.Typer,
    function: Function,
    examples: str,
    *,
    name: str | None = None,
    exits: dict[ExitCode, str] | None = None,
) -> None:
    """Make a command of a function.

    Args:
        app: where it is added.
        function: its parameters are those of the command, and `-q` and `-v` besides.
        examples: a line each; what it is for may stand beside it, two spaces apart.
        name: of the command; None for that of the function.
        exits: when it ends with a code that not all commands have.
    """
    codes = sorted({**_MEANS, **(exits or {})}.items())
    said = f"Exits with {', '.join(f'{int(code)}: {meaning}' for code, meaning in codes)}."
    shown = "\n\n".join(f"  {line.strip()}" for line in examples.strip().splitlines())
    about = "\n\n".join(" ".join(part.split()) for part in inspect.cleandoc(function.__doc__ or "").split("\n\n"))
    app.command(name, help=about, epilog=f"Examples:\n\n{shown}\n\n{said}")(_with_habits(function))


def _with_habits(function: Function) -> Function:
    signature = inspect.signature(function, eval_str=True)
    own = signature.parameters
    common = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=annotation)
        for name, annotation in (("quiet", _QUIET), ("verbose", _VERBOSE))
        if name not in own
    ]

    @wraps(function)
    def with_habits(**given: Any) -> None:
        loudness = Loudness(given["quiet"], given["verbose"], given.get("as_json", False))
        if loudness.quiet and loudness.verbose:
            raise UsageError("E-usage", "-q", "-v asks for more, and this for less")
        with speaking(loudness):
            start = time.perf_counter(), time.process_time()
            try:
                function(**{name: value for name, value in given.items() if name in own})
            except BrokenPipeError as error:
                raise typer.Exit(ExitCode.CLOSED) from error
            finally:
                if loudness.verbose:
                    report(_took(time.perf_counter() - start[0], time.process_time() - start[1]))

    with_habits.__signature__ = signature.replace(parameters=[*own.values(), *common])  # type: ignore[attr-defined]
    return with_habits


def _took(seconds: float, cpu_seconds: float) -> str:
    """What a command took, and the versions with which it ran."""
    return f"took {seconds:.2f} s, {cpu_seconds:.2f} s of CPU; {_programs()}"


def _programs() -> str:
    """The versions of codecspec, Python, and what computes where that was needed."""
    from importlib.metadata import version

    programs = [f"codecspec {version('codecspec')}", f"Python {platform.python_version()}"]
    programs += [f"torch {version('torch')}"] if "torch" in sys.modules else []
    return ", ".join(programs)
