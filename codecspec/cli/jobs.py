"""Commands over many files: which file goes where, a progress bar, and one failure that does not lose the rest."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from codecspec.cli.exits import ExitCode
from codecspec.cli.outputs import require_output
from codecspec.cli.progress import progress_bar
from codecspec.cli.say import print_json, problems_json, remark, report
from codecspec.schema.errors import SpecError, StreamError, UsageError
from codecspec.schema.missing_files import missing_hint
from codecspec.schema.whole_file import make_folder, whole_file

Content = dict[str, Any]
PIPE = "-"
"""As an input: stdin; as an output: stdout."""


@dataclass(frozen=True, slots=True)
class Job:
    """One file to work on.

    Args:
        source: where it is; None for stdin.
        output: where the result goes; None for stdout.
    """

    source: Path | None
    output: Path | None

    @classmethod
    def of(cls, given: str) -> Job:
        """A file that is only read."""
        return cls(None if given == PIPE else Path(given), None)

    @property
    def name(self) -> str:
        """What errors call it."""
        return "stdin" if self.source is None else str(self.source)

    def read(self) -> bytes | Path:
        """What is in stdin, or the path."""
        return sys.stdin.buffer.read() if self.source is None else self.source

    def say(self, text: str) -> None:
        """Say a line about the result: beside it, not into it."""
        (report if self.output is None else remark)(text)


def jobs_of(
    inputs: Sequence[str],
    output: str | None,
    *,
    endings: Sequence[str],
    ending: str,
    force: bool,
    others: Sequence[str | Path | None],
) -> list[Job]:
    """What a command has to do, looked at before time is spent on it.

    Args:
        inputs: files, folders (all files in them and below with one of `endings`), or `-` alone.
        output: a file for one file, a folder for more, `-` for stdout; None for a file beside each input.
        endings: of the files that count in a folder.
        ending: of outputs.
        force: names that were not given may be those of files that are there.
        others: files that the command reads or writes besides.

    Raises:
        UsageError: two of them have one output, or an output cannot be written or is there already.
    """
    if PIPE in inputs and len(inputs) > 1:
        raise UsageError("E-usage", PIPE, "stdin is read alone", f"{len(inputs)} inputs were given")
    single = len(inputs) == 1 and not os.path.isdir(inputs[0])
    jobs = [_single(inputs[0], output, ending)] if single else _many(inputs, output, endings, ending)
    given = single and output is not None
    sources = [job.source for job in jobs if job.source is not None]
    for job in jobs:
        _require_free(job, sources, others, given=given, force=force)
    return jobs


def run_jobs(jobs: Sequence[Job], work: Callable[[Job], Content], doing: str, *, as_json: bool) -> None:
    """Do all jobs, with a progress bar on a terminal where there are several; exit 2 after failures, each said.

    Args:
        jobs: what to do.
        work: does one, and says what came of it.
        doing: what the progress bar says.
        as_json: print all of that, and every failure, as one document.
    """
    if as_json and any(job.output is None for job in jobs):
        raise UsageError("E-usage", "--json", "the result goes to stdout, and so would the document", "-o FILE")
    done: list[Content] = []
    failed: list[Content] = []
    with progress_bar(len(jobs) if len(jobs) > 1 else 0, doing) as advance:
        for job in jobs:
            try:
                done.append({"source": job.name, "output": str(job.output)} | work(job))
            except SpecError as error:
                if len(jobs) == 1:
                    raise
                failed.append({"source": job.name} | problems_json(error))
                text = str(error)
                print(text if job.name in text else f"{job.name}: {text}", file=sys.stderr)
            advance(1)
    if as_json:
        print_json({"ok": not failed, "files": done, "failed": failed})
    if failed:
        print(f"{len(failed)} of {len(jobs)} files failed", file=sys.stderr)
        raise typer.Exit(ExitCode.WRONG)


def read_stream(job: Job) -> bytes:
    """The coded image of a job.

    Raises:
        StreamError: it cannot be read.
    """
    source = job.read()
    if isinstance(source, bytes):
        return source
    try:
        return source.read_bytes()
    except OSError as error:
        hint = missing_hint(job.name) if isinstance(error, FileNotFoundError) else ""
        raise StreamError("E-stream", job.name, f"it cannot be read: {error.strerror or error}", hint) from error


def write_bytes(data: bytes, job: Job) -> None:
    """Write a result to its file, complete or not at all, or to stdout."""
    if job.output is None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    make_folder(job.output.parent)
    with whole_file(job.output) as partial:
        partial.write_bytes(data)


def _single(given: str, output: str | None, ending: str) -> Job:
    source = None if given == PIPE else Path(given)
    if output is None and source is not None and source.suffix == ending:
        message = f"its name ends in {ending}, as those of what this command writes do"
        raise UsageError("E-usage", given, message, "is it an input of the opposite command? else -o names the output")
    if output == PIPE or (output is None and source is None):
        return Job(source, None)
    if output is not None:
        return Job(source, Path(output))
    return Job(source, Path(given).with_suffix(ending))


def _many(inputs: Sequence[str], output: str | None, endings: Sequence[str], ending: str) -> list[Job]:
    if output == PIPE:
        raise UsageError("E-usage", "-o -", "several results do not go into one stream", "give a folder")
    if output is not None and os.path.exists(output) and not os.path.isdir(output):
        message = f"{len(inputs)} inputs go into a folder, and this is a file"
        raise UsageError("E-output", output, message, "name a folder; it is made if it is not there")
    jobs = []
    for given in inputs:
        root = Path(given)
        for source in _files(root, endings):
            below = source.relative_to(root) if root.is_dir() else Path(source.name)
            target = source if output is None else Path(output) / below
            jobs.append(Job(source, target.with_suffix(ending)))
    _require_one_each(jobs)
    return jobs


def _files(root: Path, endings: Sequence[str]) -> list[Path]:
    if not os.path.isdir(root):
        return [root]
    found = [path for path in sorted(root.rglob("*")) if path.suffix.lower() in endings and path.is_file()]
    if not found:
        raise UsageError("E-usage", str(root), f"no file in this folder ends in {', '.join(endings)}")
    return found


def _require_one_each(jobs: Sequence[Job]) -> None:
    seen: dict[Path | None, Job] = {}
    for job in jobs:
        first = seen.setdefault(job.output, job)
        if first is not job:
            message = f"{first.name} and {job.name} would both be written here"
            raise UsageError("E-usage", str(job.output), message, "code them one by one, with -o")


def _require_free(
    job: Job, sources: Sequence[Path], others: Sequence[str | Path | None], *, given: bool, force: bool
) -> None:
    if job.output is None:
        return
    if given or os.path.isdir(job.output.parent):
        require_output(job.output, *sources, *others)
    if not given and not force and os.path.exists(job.output):
        message = "a file of this name is there already"
        raise UsageError("E-output", str(job.output), message, "--force replaces it, -o names another")
