"""How commands end: every exit code, and when."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit code of a command; no command ends with another."""

    DONE = 0
    FOUND = 1
    WRONG = 2
    UNCERTAIN = 3
    HUNG_UP = 129
    INTERRUPTED = 130
    CLOSED = 141
    TERMINATED = 143


MEANINGS = {
    ExitCode.DONE: "done",
    ExitCode.FOUND: "`codecspec diff` found differences, `codecspec doctor` found something wrong",
    ExitCode.WRONG: "the input is wrong, or one of several; the message says what and where: [errors](errors.md)",
    ExitCode.UNCERTAIN: "`infer-spec --strict`: not exactly one family has these tensors",
    ExitCode.HUNG_UP: "the terminal was closed (SIGHUP)",
    ExitCode.INTERRUPTED: "interrupted (Ctrl-C, SIGINT)",
    ExitCode.CLOSED: "the reader of the output went away, as in `codecspec zoo | head -1` (SIGPIPE)",
    ExitCode.TERMINATED: "terminated (SIGTERM)",
}
"""When each is given; from 128 up it is 128 and the number of a signal, as shells say it."""
