"""One thing that was looked at, and what was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from codecspec.schema.errors import listed

Verdict = Literal["fine", "note", "wrong"]
"""`wrong` spoils what the model codes; `note` is worth knowing, and may be meant."""
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one thing.

    Args:
        verdict: how bad it is.
        about: `layout`, `tensors`, `tables`, `quantiles`, `images`, `rate`, `picture`, `scales`, `latents`,
            `inputs`, `variants`.
        message: in words, with the figures.
        hint: what to do; may be empty.
        keys: the tensors or modules in question, all of them.
    """

    verdict: Verdict
    about: str
    message: str
    hint: str = ""
    keys: tuple[str, ...] = ()


def several(keys: list[str]) -> str:
    """The first few of some keys, and how many more there are."""
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return listed(keys[:_SHOWN]) + more
