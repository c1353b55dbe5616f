"""JSON out of files: one object that says each thing once."""

from __future__ import annotations

import json
from typing import Any

from codecspec.compiler.checkpoints.damaged import DamagedError, checked_key, printable

MAX_JSON_BYTES = 2 << 20
"""Enough for 17,000 tensors. safetensors itself takes 100 MB; parsed, JSON may need 25 times its size."""


def read_json_object(raw: bytes) -> dict[str, Any]:
    """The object that `raw` spells.

    Raises:
        DamagedError: it is none, or has a key twice.
    """
    try:
        found = json.loads(raw.decode(), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"not JSON: {error}") from error
    if type(found) is not dict:
        raise DamagedError("no JSON object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise DamagedError(f"it says {printable(key)} twice")
        result[checked_key(key)] = value
    return result
