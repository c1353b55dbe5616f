"""The page of all kinds of node: what a spec may say of each, made from the schema, the plan of the zoo and the
drawings, so that it cannot say anything else than the code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args

import codecspec as cs
from codecspec import zoo
from codecspec.compiler.kinds import KINDS
from codecspec.compiler.plan import Node, join
from codecspec.schema.auxiliary import CCASpec
from codecspec.schema.blocks import BlockSpec
from codecspec.schema.channel_groups import ContextSpec
from codecspec.schema.fields import SpecModel
from codecspec.schema.json_schema import json_schema
from codecspec.schema.latents import DualHyperSynthesisSpec, EntropyBottleneckSpec, LatentCodecSpec, YSpec
from codecspec.schema.leaves import SliceLeafSpec
from codecspec.schema.support_transforms import SupportTransformSpec
from docs.generators.pictures import ARROW, drawing
from docs.generators.prose import first_paragraph

INTERNAL = {"entropy_transform": "no spec writes it: it is what the `widths` of heads and leaves become"}
"""Kinds of nodes that the language has no word for, and why."""
_RECOVERABLE = re.compile(r"\s*(?:Recoverable: (.*?)\.?|Not recoverable (.*?)\.?)\s*$", re.DOTALL)
_MAX_TENSORS = 14

HEAD = """# Every kind of node

Generated from the schema, the kinds and the zoo: types, defaults and meanings of fields are those that the compiler
checks, and the tensors are from a model in the zoo. Input widths are never written; they follow from the block before.
Every number may be an [expression](language.md#expressions).

In the drawings a box whose name occurs in its tensors' keys has that name; circles are values and operations. The
column *from a checkpoint* states whether [`infer-spec`](inference.md) can determine the field from the tensors; if
not, it takes the field from the family, and reports it.
"""


@dataclass(frozen=True)
class Role:
    """A place in a spec, and the specs that may stand there."""

    title: str
    where: str
    specs: tuple[type[SpecModel], ...]


def _members(union: Any) -> tuple[type[SpecModel], ...]:
    first = get_args(union)[0]
    return get_args(first) or (first,)


ROLES = (
    Role("Blocks", "In `g_a`, `g_s`, `h_a`, `h_s`, and in every other list of blocks.", _members(BlockSpec)),
    Role("Latent codecs", "As `latent_codec`, which turns y into bits.", _members(LatentCodecSpec)),
    Role("Hyper-synthesis", "As `h_s`, instead of a list of blocks.", (DualHyperSynthesisSpec,)),
    Role("Densities", "As `z` of a hyperprior, and as `y` of a factorized model.", (EntropyBottleneckSpec,)),
    Role(
        "How y is coded",
        "As `y` of a hyperprior: channel groups, or any of the leaves below for all of y at once (not `lrp_gaussian`).",
        _members(YSpec)[:1],
    ),
    Role("Context heads", "As `context` of channel groups.", _members(ContextSpec)),
    Role("Support transforms", "As `transform` of a `mean_scale` context.", _members(SupportTransformSpec)),
    Role("Leaves", "As `leaf` of channel groups, one for all slices or a list of them.", _members(SliceLeafSpec)),
    Role("Branches for training", "As `aux: {cca: ...}` of any spec with channel groups.", (CCASpec,)),
)


def kinds_page() -> str:
    """The page, as Markdown."""
    return "\n".join([HEAD, ARROW, "", *(line for role in ROLES for line in _role(role))])


def _role(role: Role) -> Iterator[str]:
    yield f"## {role.title}\n"
    yield f"{role.where}\n"
    for spec in role.specs:
        yield from _kind(tag_of(spec), spec)


def tag_of(spec: type[SpecModel]) -> str:
    """The `type` of a spec; the branch's key in `aux` for CCA, whose spec has none."""
    return "cca" if spec is CCASpec else str(get_args(spec.model_fields["type"].annotation)[0])


def _kind(tag: str, spec: type[SpecModel]) -> Iterator[str]:
    documented = spec.__mro__[1] if spec.__name__.endswith("SliceSpec") else spec
    yield f"### `{tag}`\n"
    yield f"{first_paragraph(documented.__doc__ or '')}\n"
    yield f'<figure class="kind">{drawing(tag)}</figure>\n'
    yield from _fields(spec)
    yield from _example(tag)


def _fields(spec: type[SpecModel]) -> Iterator[str]:
    rows = field_rows(spec)
    if not rows:
        yield "No fields.\n"
        return
    yield "| field | type | default | meaning | from a checkpoint |"
    yield "| --- | --- | --- | --- | --- |"
    for name, kind, default, meaning, told in rows:
        yield f"| `{name}` | {kind} | {default} | {meaning} | {told} |"
    yield ""


def field_rows(spec: type[SpecModel]) -> list[tuple[str, str, str, str, str]]:
    """For every field but `type`: its name, type, default, meaning, and whether a checkpoint tells it."""
    described = _schema()[spec.__name__]
    required = described.get("required", [])
    rows = []
    for name, said in described["properties"].items():
        if name == "type":
            continue
        text = first_paragraph(said.get("description", ""))
        told = _RECOVERABLE.search(text)
        answer = "" if told is None else told[1] or f"no, {told[2]}"
        default = "required" if name in required else _default(said.get("default"))
        rows.append((name, _type(said), default, _RECOVERABLE.sub("", text), answer))
    return rows


@cache
def _schema() -> dict[str, Any]:
    definitions: dict[str, Any] = json_schema()["definitions"]
    return definitions


def _default(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, dict):
        value = {key: item for key, item in value.items() if item is not None}
    shown = str(value).lower() if isinstance(value, bool) else str(value).replace("'", "")
    return f"`{shown}`"


def _type(said: dict[str, Any]) -> str:
    """A field's type in words, out of its JSON Schema."""
    if "enum" in said:
        return " or ".join(f"`{value}`" for value in said["enum"])
    if "$ref" in said:
        return _named(said["$ref"])
    forms = [form for key in ("anyOf", "oneOf", "allOf") for form in said.get(key, ())]
    if forms:
        words = [_type(form) for form in forms if form.get("type") != "null"]
        *before, last = dict.fromkeys(word for word in words if word != "expression")
        joined = " or ".join(before)
        return f"{joined}, or a list of these" if last == f"list of {joined}" else " or ".join([*before, last])
    kind = str(said.get("type", "any"))
    if kind == "array":
        return f"list of {_plural(_type(said.get('items', {})))}"
    low, high = said.get("minimum"), said.get("maximum")
    bounds = "" if low is None else f", from {low}" if high is None else f", {low} to {high}"
    odd = "odd " if "not" in said else ""
    return {"boolean": "true or false", "string": "text"}.get(kind, f"{odd}{kind}{bounds}")


def _plural(words: str) -> str:
    first, comma, rest = words.partition(",")
    return f"{first}s{comma}{rest}" if first in ("integer", "number", "block") else words


def _named(reference: str) -> str:
    name = reference.rpartition("/")[2]
    tag = _schema().get(name, {}).get("properties", {}).get("type", {}).get("const")
    words = {
        "Blocks": "blocks",
        "Block": "block",
        "Expression": "expression",
        "Support": "[support](language.md#support)",
    }
    words |= {"EqualGroups": "`{equal: K}`", "ProportionalGroups": "`{proportions: [..]}`"}
    words |= {"RampSpec": "`{ramp: L, min: C}`", "DropPath": "`{last: p, block: i, of: n}`"}
    return f"[`{tag}`](#{tag})" if tag else words.get(name, f"`{name}`")


def _example(tag: str) -> Iterator[str]:
    model, node = example_of(tag)
    flow = f"{node.c_in}" if node.c_in == node.c_out else f"{node.c_in} > {node.c_out}"
    macs = f", {float(node.total_macs / 1000):,.3f} kMAC per pixel" if node.total_macs else ""
    yield f'??? example "In `{model}`: `{node.path}`"\n'
    yield f"    {flow} channels at {node.scale_out} of the image's side, {node.parameters:,} parameters{macs}.\n"
    tensors = [(join(n.path, name), t) for n in node.walk() for name, t in n.tensors.items()]
    if node.children:
        yield f"    Children: {', '.join(f'`{child.path.removeprefix(node.path)[1:]}`' for child in node.children)}.\n"
    elif tensors:
        yield "    | key | shape | |\n    | --- | --- | --- |"
        for key, tensor in tensors[:_MAX_TENSORS]:
            yield f"    | `{key}` | {list(tensor.shape)} | {tensor.role} |"
        rest = len(tensors) - _MAX_TENSORS
        yield f"\n    and {rest} more.\n" if rest > 0 else ""
    else:
        yield "    It owns no tensors.\n"
    yield ""


@cache
def example_of(tag: str) -> tuple[str, Node]:
    """The first node of a kind in the zoo, and whose it is."""
    for name in zoo.names():
        for node in cs.lower(cs.load_spec(name)).walk():
            if node.kind == tag:
                return name, node
    raise LookupError(f"no model in the zoo has a {tag}")


def documented_tags() -> set[str]:
    """Every kind that has its section."""
    return {tag_of(spec) for role in ROLES for spec in role.specs}


def missing_tags() -> set[str]:
    """Kinds that the compiler knows, and this page does not."""
    return set(KINDS) - documented_tags() - set(INTERNAL)
