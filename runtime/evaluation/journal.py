"""What was measured so far, in a file: an evaluation that was interrupted goes on where it stopped.

A line each, in JSON; a result belongs to a model's digest, an image's digest and the settings that it was measured
with, never to their names. A line that is cut or says something else is measured again.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from xxhash import xxh3_128_hexdigest

from codecspec.runtime.evaluation.evaluation import Settings
from codecspec.runtime.evaluation.measurement import Measurement
from codecspec.schema.errors import UsageError

NAME = "measured.jsonl"
_VERSION = 1
"""Of what is measured and how: an entry of another version is measured again."""
_MEASUREMENT = TypeAdapter(Measurement)


class Journal:
    """The measurements in a folder.

    Args:
        folder: where `measured.jsonl` is or is to be; None to keep nothing.
        settings: those that measurements are made with.

    Raises:
        UsageError: the file cannot be read.
    """

    def __init__(self, folder: Path | None, settings: Settings) -> None:
        self._path = None if folder is None else folder / NAME
        self._settings = json.dumps([_VERSION, asdict(settings)], sort_keys=True)
        self._known = {} if self._path is None else _entries(self._path)

    def find(self, model: str, image: str) -> Measurement | None:
        """What was measured of a model (its digest, and what it was computed with) and the image of that digest."""
        return self._known.get(self._key(model, image))

    def add(self, model: str, image: str, measured: Measurement) -> None:
        """Keep a measurement.

        Raises:
            UsageError: the file cannot be written.
        """
        if self._path is None:
            return
        line = json.dumps({"key": self._key(model, image), "measured": asdict(measured)})
        try:
            with self._path.open("a+b") as file:
                file.write(_begin_of_line(file) + line.encode() + b"\n")
        except OSError as error:
            raise _refused(self._path, "written", error) from error

    def _key(self, model: str, image: str) -> str:
        return xxh3_128_hexdigest(f"{model} {image} {self._settings}".encode())


def _begin_of_line(file: Any) -> bytes:
    """What must come before a line: a line end, where an interrupted run left half a line."""
    if file.seek(0, 2) == 0:
        return b""
    file.seek(-1, 2)
    return b"" if file.read(1) == b"\n" else b"\n"


def _entries(path: Path) -> dict[str, Measurement]:
    try:
        lines = path.read_bytes().splitlines() if path.exists() else []
    except OSError as error:
        raise _refused(path, "read", error) from error
    return dict(entry for entry in map(_entry, lines) if entry is not None)


def _entry(line: bytes) -> tuple[str, Measurement] | None:
    try:
        content = json.loads(line)
        return str(content["key"]), _MEASUREMENT.validate_python(content["measured"])
    except (ValueError, KeyError, TypeError, RecursionError, ValidationError):
        return None


def _refused(path: Path, verb: str, error: OSError) -> UsageError:
    return UsageError("E-output", str(path), f"it cannot be {verb}: {error.strerror or error}")
