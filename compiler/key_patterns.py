"""Patterns of keys: `lrp_transforms.{k}.{*}`, `y{k}.matrices.{2*i+1}`.

Keys are split at dots and patterns parsed whole. A segment is a literal (`g_a`), a number (`{k}`, affine: `{k+1}`,
`{2*k}`), a literal prefix and a number (`y{k}`), one of some words (`{p:weight|bias}`), or one or more segments (`{*}`,
`{head*}`; at most one in a pattern).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from codecspec.schema.errors import LayoutError

Fields = Mapping[str, int | str]

_NUMBER = re.compile(r"(?P<prefix>[A-Za-z_]*)\{(?:(?P<factor>\d+)\*)?(?P<name>[a-z]\w*)(?P<offset>[+-]\d+)?\}\Z")
_REST = re.compile(r"\{(?P<name>\w*)\*\}\Z")
_CHOICE = re.compile(r"\{(?P<name>[a-z]\w*):(?P<words>\w+(?:\|\w+)*)\}\Z")
_LITERAL = re.compile(r"\w+\Z")
_DIGITS = "(0|[1-9][0-9]{0,8})"


@dataclass(frozen=True, slots=True)
class _Number:
    prefix: str
    name: str
    factor: int
    offset: int

    def read(self, digits: str) -> int | None:
        """The field's value if the number is `factor * value + offset`."""
        value, remainder = divmod(int(digits) - self.offset, self.factor)
        return value if remainder == 0 and value >= 0 else None

    def write(self, fields: Fields) -> int:
        return self.factor * int(fields[self.name]) + self.offset


@dataclass(frozen=True, slots=True)
class _Choice:
    name: str
    words: tuple[str, ...]

    def write(self, fields: Fields) -> int | str:
        return fields[self.name]


@dataclass(frozen=True, slots=True)
class _Rest:
    name: str

    def write(self, fields: Fields) -> int | str:
        return fields[self.name]


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
        self._variable = [segment for segment in self._segments if not isinstance(segment, str)]
        self._needle = max(map(_literal, self._segments), key=len)
        self._template = ".".join(map(_template, self._segments))

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        return re.compile(r"\.".join(map(_regex, self._segments)), re.DOTALL)

    def __repr__(self) -> str:
        return f"KeyPattern({self.text!r})"

    @property
    def head(self) -> str | None:
        """Its first segment, where that is a literal."""
        first = self._segments[0]
        return first if isinstance(first, str) else None

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
        if self._needle not in key:  # tells most keys apart at once
            return None
        found = self._regex.fullmatch(key)
        if found is None:
            return None
        fields: dict[str, int | str] = {}
        for segment, text in zip(self._variable, found.groups(), strict=True):
            value = segment.read(text) if isinstance(segment, _Number) else text
            if value is None or fields.setdefault(segment.name, value) != value:
                return None
        return fields

    def format(self, fields: Fields) -> str:
        """The key that these fields make of this pattern."""
        return self._template % tuple([segment.write(fields) for segment in self._variable])


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


def _literal(segment: _Segment) -> str:
    """What a segment always has in it."""
    if isinstance(segment, str):
        return segment
    return segment.prefix if isinstance(segment, _Number) else ""


def _regex(segment: _Segment) -> str:
    """A regular expression for what the segment may be, with one group for its field."""
    if isinstance(segment, str):
        return re.escape(segment)
    if isinstance(segment, _Number):
        return re.escape(segment.prefix) + _DIGITS
    return f"({'|'.join(segment.words)})" if isinstance(segment, _Choice) else "(.+)"


def _template(segment: _Segment) -> str:
    """The segment with a place for its field."""
    return segment if isinstance(segment, str) else f"{_literal(segment)}%s"
