"""Where a spec is: a file, or a name in the zoo."""

from __future__ import annotations

import os
from pathlib import Path

from codecspec import specs
from codecspec.schema.errors import SchemaError, listed, nearest, shown
from codecspec.schema.missing_files import missing_hint

ENDINGS = (".yaml", ".yml")
WEIGHTS = (".safetensors", ".pth", ".pt", ".tar", ".ckpt")
"""Endings of files of weights: no spec has such a name."""


def find_spec(spec: str, folder: Path | None = None) -> Path:
    """The file of a spec: a path (relative to `folder`) if it looks like one or is there, else a name in the zoo.

    Raises:
        SchemaError: there is no such spec, or it is a directory or a file of weights; the message lists what there is.
    """
    path = (folder or Path()) / spec
    names = specs.names()
    try:
        if path.is_file():
            _require_no_weights(path, spec)
            return path
        if spec and path.is_dir() and spec not in names:
            raise _is_directory(path, spec)
        if os.sep in spec or spec.endswith(ENDINGS):
            if path.exists():
                return path
            raise _no_such_file(path, spec)
    except OSError as error:
        message = f"no file can have this name: {error.strerror or error}"
        raise SchemaError("E-no-such-spec", f"{shown(spec)}:1:1", message) from error
    if spec not in names:
        message = f"no file and no zoo spec of that name; the zoo has: {listed(names)}"
        raise SchemaError("E-no-such-spec", f"{spec}:1:1", message, nearest(spec, names))
    return specs.path(spec)


def _is_directory(path: Path, spec: str) -> SchemaError:
    inside = _specs_in(path)
    first = os.path.join(spec, inside[0]) if inside else ""
    every = os.path.join(spec, "*.yaml")
    hint = f"one of the {len(inside)} in it: {first}, ..; `codecspec stats {every}` checks and compares several"
    return SchemaError(
        "E-unreadable",
        spec,
        "it is a directory, and a spec is a YAML file or a name in the zoo",
        hint if len(inside) > 1 else f"there is one in it: {first}" if inside else "",
    )


def _no_such_file(path: Path, spec: str) -> SchemaError:
    message = f"no such file; the zoo has: {listed(specs.names())}"
    hint = nearest(path.name, _specs_in(path.parent)) or missing_hint(spec)
    return SchemaError("E-no-such-spec", f"{spec}:1:1", message, hint)


def _specs_in(folder: Path) -> list[str]:
    """The names of the YAML files of a directory."""
    try:
        return sorted(path.name for path in folder.iterdir() if path.suffix in ENDINGS)
    except OSError:  # it is not there, or may not be read
        return []


def _require_no_weights(path: Path, spec: str) -> None:
    if path.suffix in WEIGHTS:
        message = "it is a file of weights, and a spec is YAML"
        raise SchemaError("E-no-such-spec", f"{spec}:1:1", message, "`infer-spec` recovers the spec of a checkpoint")
