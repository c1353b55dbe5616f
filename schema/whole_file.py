"""Output files that appear under their name only when they are complete."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from codecspec.schema.errors import UsageError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path to write to, in the folder of `path`; moved there at the end, gone after an error.

    Of a symbolic link the file that it leads to is replaced, and what is no file (a pipe, `/dev/null`) is written into.

    Raises:
        UsageError: the folder is not there or cannot be written to.
    """
    if os.path.isdir(path):
        raise UsageError("E-output", str(path), "it is a directory")
    try:
        device = is_device(path)
        target = Path(os.path.realpath(path))
        with tempfile.TemporaryDirectory(dir=None if device else target.parent, prefix=".partial-") as folder:
            partial = Path(folder) / path.name
            partial.touch()
            mode = partial.stat().st_mode  # what the system gives a new file; some writers make theirs private
            yield partial
            if device:
                with partial.open("rb") as whole, path.open("wb") as out:
                    shutil.copyfileobj(whole, out)
                return
            partial.chmod(mode)
            partial.replace(target)
    except OSError as error:
        raise UsageError("E-output", str(path), f"it cannot be written: {error.strerror or error}") from error


def is_device(path: Path) -> bool:
    """Whether it is there, and is written into rather than replaced."""
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, where they are not there.

    Raises:
        UsageError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError("E-output", str(path), f"it cannot be made: {error.strerror or error}") from error
