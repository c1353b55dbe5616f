"""The page of the public names in Python, made from their signatures and docstrings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import codecspec as cs
from docs.generators.prose import plain

GROUPS = {
    "Specs and plans": (
        "load_spec",
        "parse_spec",
        "dump_spec",
        "spec_hash",
        "lower",
        "statistics",
        "json_schema",
        "zoo",
    ),
    "Codecs": ("compile_spec", "build", "load", "load_weights", "save"),
    "Coding and evaluating": ("encode", "decode", "evaluate", "keep_freed_memory"),
    "Checkpoints": ("infer_spec", "convert"),
    "Results": ("ModelSpec", "Inference", "Statistics"),
    "Errors": (
        "SpecError",
        "Problem",
        "SchemaError",
        "CheckpointError",
        "LayoutError",
        "BuildError",
        "StreamError",
        "ResultsError",
        "UsageError",
    ),
}
HEAD = """# Python

Generated from the signatures and docstrings of `import codecspec as cs`. Importing it does not import PyTorch; building
and loading do. A codec is an `nn.Module` and a CompressAI `CompressionModel`, with the same `forward`, `compress`,
`decompress`, `aux_loss` and `update`. See [an example](index.md#in-python) and [a training
loop](tutorial.md#train-it).
"""
_LONG = 100
_SECTION = re.compile(r"^(Args|Attributes|Returns|Raises):\n((?:(?: .*)?\n?)*)", re.MULTILINE)
_ITEM = re.compile(r"^    (\w+): ((?:.*\n?)(?:^     .*\n?)*)", re.MULTILINE)


def python_page() -> str:
    """The page, as Markdown."""
    return "\n".join([HEAD, *(line for title, names in GROUPS.items() for line in _group(title, names))])


def _group(title: str, names: tuple[str, ...]) -> Iterator[str]:
    yield f"## {title}\n"
    for name in names:
        yield f"### `{name}` {{ #{name} }}\n"
        yield from _described(name, getattr(cs, name))


def _described(name: str, what: Any) -> Iterator[str]:
    if inspect.isfunction(what):
        yield f"```python\n{signature(name, what)}\n```\n"
    text = inspect.cleandoc(what.__doc__ or "")
    for paragraph in _SECTION.sub("", text).strip().split("\n\n"):
        yield f"{paragraph if paragraph.startswith('    ') else plain(paragraph)}\n"
    for section, content in _SECTION.findall(f"{text}\n"):
        yield f"*{'Attributes' if section == 'Args' and inspect.isclass(what) else section}*\n"
        items = _ITEM.findall(content)
        yield "\n".join(f"- `{item}`: {plain(said)}" for item, said in items) + "\n" if items else f"{plain(content)}\n"


def signature(name: str, function: Any) -> str:
    """`name(params) -> what`, a param a line where it is long."""
    found = inspect.signature(function)
    params, before = [], None
    for each in found.parameters.values():
        if each.kind is each.KEYWORD_ONLY and before is not each.KEYWORD_ONLY:
            params.append("*")
        if before is each.POSITIONAL_ONLY and each.kind is not each.POSITIONAL_ONLY:
            params.append("/")
        params.append(_param(each))
        before = each.kind
    whole = f"{name}({', '.join(params)}) -> {found.return_annotation}"
    lines = "".join(f"    {each},\n" for each in params)
    return whole if len(whole) <= _LONG else f"{name}(\n{lines}) -> {found.return_annotation}"


def _param(param: inspect.Parameter) -> str:
    stars = "**" if param.kind is param.VAR_KEYWORD else ""
    default = "" if param.default is param.empty else f" = {param.default!r}"
    return f"{stars}{param.name}: {param.annotation}{default}"
