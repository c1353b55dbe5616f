"""Patterns of keys: `lrp_transforms.{k}.{*}`, `y{k}.matrices.{2*i+1}`.

Keys are split at dots and patterns parsed whole. A segment is a literal (`g_a`), a number (`{k}`, affine: `{k+1}`,
`{2*k}`), a literal prefix and a number (`y{k}`), one of some words (`{p:weight|bias}`), or one or more segments (`{*}`,
`{head*}`; at most one in a pattern).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from codecspec.schema.errors import LayoutError

Fields = Mapping[str, int | str]

_NUMBER = re.compile(r"(?P<prefix>[A-Za-z_]*)\{(?:(?P<factor>\d+)\*)?(?P<name>[a-z]\w*)(?P<offset>[+-]\d+)?\}\Z")
_REST = re.compile(r"\{(?P<name>\w*)\*\}\Z")
_CHOICE = re.compile(r"\{(?P<name>[a-z]\w*):(?P<words>\w+(?:\|\w+)*)\}\Z")
_LITERAL = re.compile(r"\w+\Z")
_DIGITS = re.compile(r"(0|[1-9][0-9]{0,8})\Z")


@dataclass(frozen=True, slots=True)
class _Number:
    prefix: str
    name: str
    factor: int
    offset: int

    def read(self, segment: str) -> int | None:
        """The field's value if `segment` is `prefix` and `factor * value + offset`."""
        digits = segment.removeprefix(self.prefix)
        if not segment.startswith(self.prefix) or not _DIGITS.match(digits):
            return None
        value, remainder = divmod(int(digits) - self.offset, self.factor)
        return value if remainder == 0 and value >= 0 else None

    def write(self, fields: Fields) -> str:
        return f"{self.prefix}{self.factor * int(fields[self.name]) + self.offset}"


@dataclass(frozen=True, slots=True)
class _Choice:
    name: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Rest:
    name: str


_Segment = str | _Number | _Choice | _Rest


class KeyPattern:
    """One pattern.

    Args:
        text: the pattern.

    Raises:
        LayoutError: it is not one.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._segments = [_parse(segment, text) for segment in text.split(".")]
        if sum(isinstance(segment, _Rest) for segment in self._segments) > 1:
            raise LayoutError("E-layout", text, "more than one field of several segments; they cannot be told apart")

    def __repr__(self) -> str:
        return f"KeyPattern({self.text!r})"

    @property
    def forms(self) -> frozenset[tuple[str, object]]:
        """The names of its fields, and what each may be: a number, some words, or segments."""
        return frozenset(
            (s.name, s.words if isinstance(s, _Choice) else type(s)) for s in self._segments if not isinstance(s, str)
        )

    @property
    def fields(self) -> frozenset[str]:
        """The names of its fields."""
        return frozenset(s.name for s in self._segments if not isinstance(s, str))

    def match(self, key: str) -> dict[str, int | str] | None:
        """The fields that make this pattern `key`, or None."""
        parts = key.split(".")
        rest = next((i for i, s in enumerate(self._segments) if isinstance(s, _Rest)), None)
        if rest is None:
            return self._match_each(self._segments, parts)
        after = len(self._segments) - rest - 1
        end = len(parts) - after
        if end <= rest:
            return None
        heads = self._match_each(self._segments[:rest], parts[:rest])
        tails = self._match_each(self._segments[rest + 1 :], parts[end:])
        middle = self._segments[rest]
        if heads is None or tails is None or not isinstance(middle, _Rest):
            return None
        if any(heads[name] != value for name, value in tails.items() if name in heads):
            return None
        return {**heads, **tails, middle.name: ".".join(parts[rest:end])}

    def format(self, fields: Fields) -> str:
        """The key that these fields make of this pattern."""
        return ".".join(_write(segment, fields) for segment in self._segments)

    @staticmethod
    def _match_each(segments: list[_Segment], parts: list[str]) -> dict[str, int | str] | None:
        if len(segments) != len(parts):
            return None
        fields: dict[str, int | str] = {}
        for segment, part in zip(segments, parts, strict=True):
            if isinstance(segment, _Number):
                value = segment.read(part)
                if value is None or fields.setdefault(segment.name, value) != value:
                    return None
            elif isinstance(segment, _Choice):
                if part not in segment.words or fields.setdefault(segment.name, part) != part:
                    return None
            elif segment != part:
                return None
        return fields


def _parse(segment: str, pattern: str) -> _Segment:
    if _LITERAL.match(segment):
        return segment
    rest = _REST.match(segment)
    if rest:
        return _Rest(rest["name"])
    choice = _CHOICE.match(segment)
    if choice:
        return _Choice(choice["name"], tuple(choice["words"].split("|")))
    number = _NUMBER.match(segment)
    if not number:
        raise LayoutError(
            "E-layout", pattern, f"'{segment}' is no segment: a word, {{k}}, y{{k}}, {{k+1}}, {{p:a|b}} or {{*}}"
        )
    return _Number(number["prefix"], number["name"], int(number["factor"] or 1), int(number["offset"] or 0))


def _write(segment: _Segment, fields: Fields) -> str:
    if isinstance(segment, str):
        return segment
    return segment.write(fields) if isinstance(segment, _Number) else str(fields[segment.name])
