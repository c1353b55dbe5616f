"""Output files that appear under their name only when they are complete."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from codecspec.schema.errors import UsageError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path to write to, in the folder of `path`; moved there at the end, gone after an error.

    Raises:
        UsageError: the folder is not there or cannot be written to.
    """
    if os.path.isdir(path):
        raise UsageError("E-output", str(path), "it is a directory")
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            partial = Path(folder) / path.name
            partial.touch()
            mode = partial.stat().st_mode  # what the system gives a new file; some writers make theirs private
            yield partial
            partial.chmod(mode)
            partial.replace(path)
    except OSError as error:
        raise UsageError("E-output", str(path), f"it cannot be written: {error.strerror or error}") from error
