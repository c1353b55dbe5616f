"""Outputs, looked at before time is spent on them."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from codecspec.schema.errors import UsageError
from codecspec.schema.missing_files import missing_hint
from codecspec.schema.whole_file import is_device


def require_output(output: Path, *others: str | Path | None) -> None:
    """Refuse an output that cannot be written, or would overwrite another file of the same command.

    Args:
        output: where something is to be written.
        others: what the command reads, and its other outputs; None and names that are no files do no harm.

    Raises:
        UsageError: it is a directory, its folder is not there, or it is one of `others`.
    """
    obstacle = "it is a directory" if os.path.isdir(output) else _obstacle(output)
    if obstacle is not None:
        hint = "" if output.parent.exists() else missing_hint(str(output.parent))
        raise UsageError("E-output", str(output), obstacle, hint)
    if os.path.realpath(output) in [os.path.realpath(other) for other in others if other is not None]:
        message = "the same command uses this file for something else, and would overwrite it"
        raise UsageError("E-usage", str(output), message, "give the output another name")


def require_codec_file(output: Path) -> None:
    """Refuse a file for a codec whose name promises another format than the one that can hold its spec, too.

    Raises:
        UsageError: it does.
    """
    if output.suffix != ".safetensors":
        message = f"a codec is saved with its spec, in a file that ends in .safetensors; found '{output.suffix}'"
        raise UsageError("E-output", str(output), message, "`codecspec convert` writes its tensors in other formats")


def _obstacle(output: Path) -> str | None:
    try:
        output.parent.stat()
        output.exists()  # an OSError where the name is too long
    except OSError as error:
        return f"it cannot be written: {error.strerror}"
    if not output.parent.is_dir():
        return f"it cannot be written: {os.strerror(errno.ENOTDIR)}"
    written_to = output if is_device(output) else output.parent
    return None if os.access(written_to, os.W_OK) else f"it cannot be written: {os.strerror(errno.EACCES)}"
