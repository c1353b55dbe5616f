"""How every command ends: its errors in words on stderr (with `--json` as a document on stdout), and its exit code."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import typer

from codecspec.cli.exits import ExitCode
from codecspec.cli.say import print_json, problems_json
from codecspec.compiler.collector import collect_rarely, leave_all
from codecspec.runtime.compressai_import import leave_out
from codecspec.schema.errors import SpecError, UsageError

STOPPED = {ExitCode.HUNG_UP: "hung up", ExitCode.INTERRUPTED: "interrupted", ExitCode.TERMINATED: "terminated"}
_REFUSED: type[Exception] = typer.BadParameter.__mro__[2]
"""What typer raises of arguments that it does not take: the root of the one class of them that it exports."""


def run(app: typer.Typer) -> NoReturn:
    """Run a command and end the process."""
    leave_out()
    collect_rarely()
    _open_streams()
    with _signals_heard() as heard:
        try:
            code = _code_of(app)
        except KeyboardInterrupt:
            code = ExitCode.INTERRUPTED
        except BrokenPipeError:
            code = ExitCode.CLOSED
        except OSError as error:
            _tell(_of_system(error), "--json" in sys.argv[1:] and error.filename is not None)
            code = ExitCode.WRONG
        except Exception:
            if not heard:
                raise
            code = ExitCode.INTERRUPTED  # an extension module that is interrupted while it is imported fails otherwise
        if code == ExitCode.INTERRUPTED:
            _ignore_more()
            code = ExitCode(128 + (heard[0] if heard else signal.SIGINT))
            print(STOPPED[code], file=sys.stderr)
        code = _flushed(code)
    leave_all()
    sys.exit(code)


def _code_of(app: typer.Typer) -> int:
    """The exit code of a command, once it and its errors have said what they had to say."""
    as_json = "--json" in sys.argv[1:]
    try:
        ended = app(standalone_mode=not as_json)  # typer says its errors itself, as text, where it stands alone
    except SystemExit as end:
        # Where the reader of a help page goes away, rich and typer end with 1, as of an error.
        return ExitCode.CLOSED if isinstance(end.__context__, BrokenPipeError) else int(end.code or 0)
    except SpecError as error:
        _tell(error, as_json)
        return ExitCode.WRONG
    except _REFUSED as error:
        _tell(_as_ours(error), as_json)
        return ExitCode.WRONG
    return int(ended or 0)


def _tell(error: SpecError, as_json: bool) -> None:
    if as_json:
        print_json(problems_json(error))
    else:
        print(error, file=sys.stderr)


def _as_ours(refused: Exception) -> UsageError:
    context = getattr(refused, "ctx", None)
    said = getattr(refused, "format_message", refused.__str__)()
    return UsageError("E-usage", context.command_path if context else "command line", " ".join(said.split()))


def _of_system(error: OSError) -> UsageError:
    """What the system refused: something with a file, by its name, or else to write to stdout."""
    said = error.strerror or error
    if error.filename is None:
        return UsageError("E-output", "stdout", f"it cannot be written: {said}")
    return UsageError("E-output", os.fsdecode(error.filename), f"the system refused: {said}")


def _open_streams() -> None:
    """Have stdout and stderr whatever the shell did (`>&-`), and characters that they cannot say said by escapes.

    Where stdout is closed, writing to it fails, as it does for other programs; nobody misses what stderr says.
    """
    if sys.stdout is None:
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w")
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def _signals_heard() -> Iterator[list[int]]:
    """SIGTERM and SIGHUP end a command as Ctrl-C does: what is open is closed on the way out.

    Gives the numbers of the signals that came. A signal that is ignored (`nohup`) stays so.
    """
    heard: list[int] = []

    def hear(number: int, frame: FrameType | None) -> None:
        heard.append(number)
        raise KeyboardInterrupt

    before = {}
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            before[number] = signal.signal(number, hear)
    try:
        yield heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ignore_more() -> None:
    """Impatience changes nothing any more."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _flushed(code: int) -> int:
    """The exit code, once what was printed has gone out."""
    try:
        sys.stdout.flush()
    except OSError as error:
        # Python would try again at exit, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return code or ExitCode.CLOSED
        if code != ExitCode.WRONG:  # else that is said already
            print(_of_system(error), file=sys.stderr)
        return code or ExitCode.WRONG
    return code
