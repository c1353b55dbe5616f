"""What follows from the keys of a checkpoint alone is remembered: the checkpoints of one program share their keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache, wraps
from typing import TypeVar

T = TypeVar("T")
Keys = tuple[str, ...]

MAX_REMEMBERED = 16
"""Lists of keys that a process remembers."""
MAX_CHARACTERS = 1 << 18
"""Of all keys of a list that is remembered; those of a large model have half as many."""


def remembered(function: Callable[[Keys], T]) -> Callable[[Iterable[str]], T]:
    """`function`, which looks at nothing but keys, asked once for each list of them while that is among the last.

    What it returns is shared: nobody may change it.
    """
    known = lru_cache(MAX_REMEMBERED)(function)

    @wraps(function)
    def ask(keys: Iterable[str]) -> T:
        given = tuple(keys)
        return known(given) if sum(map(len, given)) <= MAX_CHARACTERS else function(given)

    return ask
