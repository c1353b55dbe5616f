"""Codecs in the midst of other tensors: under a beginning of keys that nobody takes off, as in a training module's."""

from __future__ import annotations

from collections.abc import Mapping

_MARK = "quantiles"
"""Every codec has a tensor of this name, in every layout."""
_MAX_DEPTH = 3
_MAX_BEGINNINGS = 8


def beginnings(keys: Mapping[str, object]) -> tuple[str, ...]:
    """The beginnings of keys, without their last dot, under which a whole codec could be, the shortest first."""
    marked = [key.split(".") for key in keys if key.endswith(f".{_MARK}")]
    found = {".".join(steps[:depth]): depth for steps in marked for depth in range(1, min(len(steps), _MAX_DEPTH + 1))}
    return tuple(sorted(found, key=lambda start: found[start])[:_MAX_BEGINNINGS])
