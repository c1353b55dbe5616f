"""What to do about a file that is not there."""

from __future__ import annotations

import os
import re

from codecspec.schema.errors import nearest

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # a path object has made one slash of the two
_PATTERN = re.compile(r"[*?\[]")


def missing_hint(path: str) -> str:
    """The slip that is likely behind a path without a file, or an empty string.

    Args:
        path: what was given.
    """
    folder, name = os.path.split(path)
    if _URL.match(path):
        return "it is a URL, and files on this machine are read: download it first"
    if path.startswith("~"):
        return "a shell leaves `~` as it is in quotes and after `=`: write the folder out"
    if _PATTERN.search(path):
        return "no file fits the pattern, so the shell left it as it is; or it stands in quotes"
    try:
        there = os.listdir(folder or ".")
    except OSError:
        return f"there is no folder {folder}" if folder and not os.path.exists(folder) else ""
    return nearest(name, there)
