"""YAML text -> a tree that remembers where everything stands.

PyYAML's events are turned into dicts, lists and scalars that carry their line and column. Only plain data comes out:
no tags, no merge keys, no YAML 1.1 surprises (`no`, `1:30` and `010` are strings). The reader is built for hostile
files: depth, size and the size *after* aliases are bounded while the events arrive, so nothing is expanded first and
counted later.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from codecspec.schema.errors import SchemaError, shown

MAX_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_NODES = 20_000

_PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MAX_DIGITS = 18
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_NOT_TEXT = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\Z")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?\Z")
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a spec, counted from 1; printed as `file:line:column`."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class SourceMap(dict[str, Any]):
    """A YAML mapping, the mark of its start and the marks of its keys and values."""

    __slots__ = ("key_marks", "mark", "value_marks")

    def __init__(self, mark: Mark) -> None:
        super().__init__()
        self.mark = mark
        self.key_marks: dict[str, Mark] = {}
        self.value_marks: dict[str, Mark] = {}

    def put(self, key: str, value: Any, key_mark: Mark, value_mark: Mark) -> None:
        """Set a key's value, and where both stand."""
        self[key] = value
        self.key_marks[key] = key_mark
        self.value_marks[key] = value_mark


class SourceList(list[Any]):
    """A YAML sequence, the mark of its start and the marks of its items.

    `incomplete` where a `repeat` in it could not be unrolled.
    """

    __slots__ = ("incomplete", "item_marks", "mark")

    def __init__(self, mark: Mark) -> None:
        super().__init__()
        self.mark = mark
        self.item_marks: list[Mark] = []
        self.incomplete = False

    def put(self, value: Any, mark: Mark) -> None:
        """Append an item, and where it stands."""
        self.append(value)
        self.item_marks.append(mark)


class BoundStr(str):
    """A string out of a `repeat`, with the values of the indexes around it."""

    __slots__ = ("bindings",)
    bindings: dict[str, int]

    def __new__(cls, text: str, bindings: dict[str, int]) -> BoundStr:
        self = super().__new__(cls, text)
        self.bindings = bindings
        return self

    def __reduce__(self) -> tuple[type[BoundStr], tuple[str, dict[str, int]]]:
        return BoundStr, (str(self), self.bindings)


def read_yaml(path: Path, name: str | None = None) -> SourceMap:
    """The tree of the YAML file at `path`; marks call the file `name` (its path by default).

    Raises:
        SchemaError: the file cannot be read or is not one YAML mapping of plain data within the bounds above.
    """
    label = name or str(path)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        message = f"the spec cannot be read: {error.strerror or error}"
        raise SchemaError("E-unreadable", f"{label}:1:1", message) from error
    return parse_yaml(data, label)


def parse_yaml(data: bytes | str, name: str = "<text>") -> SourceMap:
    """The tree of a YAML text; see `read_yaml`."""
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    start = Mark(name, 1, 1)
    if len(raw) > MAX_BYTES:
        raise SchemaError("E-too-large", str(start), f"a spec has at most {MAX_BYTES} bytes")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if b"\0" in raw and not raw.startswith(UTF_16):
            raise SchemaError("E-encoding", str(start), "it is no text, and a spec is YAML") from None
        where = _place_after(name, error.object[: error.start].decode())
        message = f"a spec is UTF-8 text, and the byte 0x{error.object[error.start]:02X} here is not"
        raise SchemaError("E-encoding", str(where), message, "save the file as UTF-8") from None
    strange = _NOT_TEXT.search(text)
    if strange:
        where = _place_after(name, text[: strange.start()])
        message = f"not YAML: the character U+{ord(strange[0]):04X} is not allowed"
        raise SchemaError("E-yaml", str(where), message, "take it out")
    try:
        return _composed(text, name)
    except yaml.MarkedYAMLError as error:
        at = _place(name, error.problem_mark or error.context_mark)
        what = " ".join(str(part) for part in (error.context, error.problem) if part)
        raise SchemaError("E-yaml", str(at), f"not YAML: {what}") from None
    except yaml.YAMLError as error:
        raise SchemaError("E-yaml", str(start), f"not YAML: {error}") from None


def _composed(text: str, name: str) -> SourceMap:
    try:
        return _Composer(name).compose(text, _PARSER)
    except yaml.MarkedYAMLError as error:
        if "maximum nesting depth" not in str(error.problem):
            raise
    # Recent libyaml reads ahead and has a limit of its own; its elder comes to ours first, which says the place.
    return _Composer(name).compose(text, yaml.SafeLoader)


def write_yaml(content: Mapping[str, Any]) -> str:
    """Plain data as YAML text that `parse_yaml` reads back to the same."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=120)


class _Dumper(yaml.SafeDumper):
    """Quotes what would be read back as a number: PyYAML's idea of one is narrower (`1e5`, the name, is text to it)."""


_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


@dataclass(slots=True)
class _Open:
    """A mapping or sequence whose end has not come yet."""

    node: SourceMap | SourceList
    anchor: str | None
    nodes_before: int
    key: str | None = None
    key_mark: Mark | None = None


class _Composer:
    """Builds the tree from parser events, iteratively, and counts as it goes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.nodes = 0
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.root: Any = None
        self.has_root = False

    def compose(self, text: str, parser: Any) -> SourceMap:
        start = Mark(self.name, 1, 1)
        documents = 0
        for event in yaml.parse(text, Loader=parser):
            mark = _place(self.name, event.start_mark)
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise SchemaError("E-yaml", str(mark), "a second document; a spec is one YAML document")
            elif isinstance(event, yaml.NodeEvent):
                self._node(event, mark)
            elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                self._close(mark)
        if not self.has_root or self.root is None:
            raise SchemaError("E-empty", str(start), "the spec is empty", "a spec starts with `codecspec: 1`")
        if not isinstance(self.root, SourceMap):
            message = f"a spec is a mapping of keys to values, found {shown(self.root)}"
            raise SchemaError("E-yaml", str(start), message, "a spec starts with `codecspec: 1`")
        return self.root

    def _node(self, event: yaml.NodeEvent, mark: Mark) -> None:
        tag = getattr(event, "tag", None)
        if tag is not None:
            message = f"the tag {shown(str(tag))} is not allowed; a spec is plain data"
            raise SchemaError("E-yaml", str(mark), message, "leave the tag out")
        if isinstance(event, yaml.AliasEvent):
            self._alias(str(event.anchor), mark)
        elif isinstance(event, yaml.ScalarEvent):
            self._count(1, mark)
            value = _scalar(event, mark)
            if value == "<<" and not event.style and self._at_key():
                hint = "write the keys out, or start from another spec with `extends`"
                raise SchemaError("E-yaml", str(mark), "the merge key `<<` is not allowed", hint)
            self._add(value, mark)
            if event.anchor is not None:
                self.anchors[event.anchor] = (value, 1)
        else:
            self._count(1, mark)
            if len(self.stack) >= MAX_DEPTH:
                raise SchemaError("E-too-deep", str(mark), f"nested more than {MAX_DEPTH} levels deep")
            node = SourceMap(mark) if isinstance(event, yaml.MappingStartEvent) else SourceList(mark)
            self._check_key_place(mark)
            self.stack.append(_Open(node, event.anchor, self.nodes - 1))
            if event.anchor is not None:
                self.anchors.pop(event.anchor, None)

    def _alias(self, anchor: str, mark: Mark) -> None:
        if any(level.anchor == anchor for level in self.stack):
            raise SchemaError("E-yaml", str(mark), f"*{_short(anchor)} stands inside the node that it names")
        if anchor not in self.anchors:
            raise SchemaError(
                "E-yaml",
                str(mark),
                f"*{_short(anchor)} names no anchor before it",
                f"an anchor is set with &{_short(anchor)}",
            )
        value, size = self.anchors[anchor]
        self._count(size, mark)
        self._add(value, mark)

    def _count(self, nodes: int, mark: Mark) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            message = f"more than {MAX_NODES} nodes once aliases are followed"
            raise SchemaError("E-too-large", str(mark), message)

    def _at_key(self) -> bool:
        level = self.stack[-1] if self.stack else None
        return level is not None and isinstance(level.node, SourceMap) and level.key is None

    def _check_key_place(self, mark: Mark) -> None:
        if self._at_key():
            raise SchemaError("E-yaml", str(mark), "a key must be a word, found a mapping or list")

    def _add(self, value: Any, mark: Mark) -> None:
        if not self.stack:
            self.root, self.has_root = value, True
            return
        level = self.stack[-1]
        if isinstance(level.node, SourceList):
            level.node.put(value, mark)
        elif level.key is None:
            if not isinstance(value, str):
                raise SchemaError("E-yaml", str(mark), f"a key must be a word, found {shown(value)}")
            if value in level.node:
                first = level.node.key_marks[value]
                message = f"the key {shown(value)} stands twice; first at line {first.line}"
                raise SchemaError("E-duplicate-key", str(mark), message)
            level.key, level.key_mark = value, mark
        else:
            level.node.put(level.key, value, level.key_mark or mark, mark)
            level.key = None

    def _close(self, mark: Mark) -> None:
        level = self.stack.pop()
        if level.anchor is not None:
            self.anchors[level.anchor] = (level.node, self.nodes - level.nodes_before)
        self._add(level.node, level.node.mark)


def _place(name: str, mark: yaml.error.Mark | yaml._yaml.Mark | None) -> Mark:
    """PyYAML's mark, which counts from 0, as ours; the start of the file where it has none."""
    return Mark(name, mark.line + 1, mark.column + 1) if mark else Mark(name, 1, 1)


def _place_after(name: str, before: str) -> Mark:
    """The place right after the text `before`."""
    return Mark(name, before.count("\n") + 1, len(before) - before.rfind("\n"))


def _short(anchor: str) -> str:
    return anchor if len(anchor) <= MAX_DEPTH else f"{anchor[:MAX_DEPTH]}..."


def _scalar(event: yaml.ScalarEvent, mark: Mark) -> Any:
    text: str = event.value
    if event.style not in (None, ""):
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INT.match(text):
        if len(text.lstrip("+-")) > MAX_DIGITS:
            message = f"the number {text[:MAX_DIGITS]}... has more than {MAX_DIGITS} digits"
            raise SchemaError("E-value", str(mark), message)
        return int(text)
    if _FLOAT.match(text):
        return float(text)
    return text
