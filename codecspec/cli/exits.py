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
    ExitCode.FOUND: "`codecspec diff` found differences, `codecspec doctor` something wrong",
    ExitCode.WRONG: "the input is wrong (of several, one); what and where is said: [errors](errors.md)",
    ExitCode.UNCERTAIN: "`infer-spec --strict`, and no single family has these tensors",
    ExitCode.HUNG_UP: "the terminal was closed (SIGHUP)",
    ExitCode.INTERRUPTED: "interrupted (Ctrl-C, SIGINT)",
    ExitCode.CLOSED: "the reader of the output went away, as in `codecspec zoo | head -1` (SIGPIPE)",
    ExitCode.TERMINATED: "terminated (SIGTERM)",
}
"""When each is given; from 128 up it is 128 and the number of a signal, as shells say it."""
