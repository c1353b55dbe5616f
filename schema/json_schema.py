"""The language as a JSON Schema, for editors: what a file may say *before* params, `repeat` and `extends` are resolved.

It is made from the Pydantic models, with their docstrings as descriptions, and says what they say of a written file:
an expression may stand for a number, a `repeat` among blocks, one leaf for a list of one. A spec that `extends` another
says only what differs, so there no key is required of a mapping that is merged with its counterpart; inside lists,
which are replaced, all are. What only evaluation can tell (whether an expression names a param, and comes out odd and
positive) a schema cannot say: `compile-spec --check` does.

Draft 7, which is what editors know best.
"""

from __future__ import annotations

import ast
import inspect
import keyword
import textwrap
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from codecspec.schema.blocks import Repeat
from codecspec.schema.expressions import FUNCTIONS, MAX_LENGTH, MAX_VALUE
from codecspec.schema.fields import SpecModel, is_odd_validator, takes_expressions
from codecspec.schema.model import ModelSpec
from codecspec.schema.params import MAX_ITEMS, MAX_PARAMS

JsonSchema = dict[str, Any]

_REF = "#/definitions/"
_EXPRESSION = {"$ref": f"{_REF}Expression"}
_MARKED: JsonSchema = {"type": "string", "expression": True}
"""Stands for `_EXPRESSION` until Pydantic, which knows only its own definitions, is done."""
_NAME = rf"^(?!(?:{'|'.join(sorted({*FUNCTIONS, *keyword.kwlist}))})$)[A-Za-z_][A-Za-z0-9_]*$"
"""A name that expressions can spell; `expressions.check_name` in a pattern."""
_OVER = "Over"
"""Ends the name of a definition for a mapping that is merged over its counterpart."""
_BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
_LENGTHS = {"minLength": "minItems", "maxLength": "maxItems"}


def json_schema() -> JsonSchema:
    """The JSON Schema (draft 7) of a spec file."""
    whole = ModelSpec.model_json_schema(schema_generator=_Written, ref_template=_REF + "{model}")
    repeat = Repeat.model_json_schema(schema_generator=_Written, ref_template=_REF + "{model}")
    definitions: dict[str, JsonSchema] = {**whole.pop("$defs"), "ModelSpec": whole, "Repeat": repeat}
    _describe(definitions)
    definitions = {name: _settled(definition) for name, definition in definitions.items()}
    _let_repeats_in(definitions)
    definitions["ModelSpec"]["properties"]["params"] = _params(definitions["ModelSpec"]["properties"]["params"])
    definitions["Expression"] = {
        "description": "An expression over the params: names, integers, + - * // %, [index], min, max, sum, len.",
        "type": "string",
        "maxLength": MAX_LENGTH,
        "pattern": r"^[A-Za-z0-9_+\-*/%()\[\],\s]+$",
    }
    _add_overs("ModelSpec", definitions)
    definitions[f"ModelSpec{_OVER}"]["properties"] = {
        "codecspec": definitions["ModelSpec"]["properties"]["codecspec"],
        "extends": {
            "description": "The spec that this one starts from: the name of a zoo spec, or a path. What stands here "
            "overrides it, mappings key by key; lists and single values replace.",
            "type": "string",
        },
        **definitions[f"ModelSpec{_OVER}"]["properties"],
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "codecspec",
        "description": "A learned image codec: its transforms, and how the latent between them is coded.",
        "type": "object",
        "if": {"required": ["extends"]},
        "then": {"$ref": f"{_REF}ModelSpec{_OVER}"},
        "else": {"$ref": f"{_REF}ModelSpec"},
        "definitions": dict(sorted(definitions.items())),
    }


def _describe(definitions: dict[str, JsonSchema]) -> None:
    """The docstrings of fields as their descriptions.

    Pydantic does this too (`use_attribute_docstrings`), but when a class is made: that parses the source of every model
    at every start of a command.
    """
    models: list[type[SpecModel]] = [SpecModel]
    for model in models:
        models += model.__subclasses__()
    for model in models:
        properties = definitions.get(model.__name__, {}).get("properties", {})
        for base in reversed(model.__mro__):
            for name, text in _field_docstrings(base).items() if issubclass(base, SpecModel) else ():
                if name in properties:
                    properties[name] = {"description": text, **properties[name]}


def _field_docstrings(model: type) -> dict[str, str]:
    """The string under each field in the source of a class."""
    body = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    if not isinstance(body, ast.ClassDef):
        return {}
    return {
        field.target.id: inspect.cleandoc(below.value.value)
        for field, below in pairwise(body.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }


class _Written(GenerateJsonSchema):
    """Pydantic's generator, made to describe the file where it would describe what validation makes of it."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchema:
        if takes_expressions(schema["function"]["function"]):
            return {"anyOf": [self.generate_inner(schema["schema"]), dict(_MARKED)]}
        return super().function_before_schema(schema)

    def function_after_schema(self, schema: core_schema.AfterValidatorFunctionSchema) -> JsonSchema:
        described = super().function_after_schema(schema)
        if is_odd_validator(schema["function"]["function"]):
            described["anyOf"][0]["not"] = {"multipleOf": 2}
        return described


def _settled(node: Any) -> Any:
    """A copy of `node` in draft 7's words: bounds where their number stands, no title, no `discriminator`."""
    if isinstance(node, list):
        return [_settled(item) for item in node]
    if not isinstance(node, dict):
        return node
    if node == _MARKED:
        return _EXPRESSION
    # A mapping with a *property* called title keeps it.
    dropped = ("discriminator",) if isinstance(node.get("title"), dict) else ("discriminator", "title")
    settled = {key: _settled(value) for key, value in node.items() if key not in dropped}
    if _EXPRESSION in settled.get("anyOf", ()):
        written = settled["anyOf"][0]
        written |= {word: settled.pop(key) for key, word in (_BOUNDS | _LENGTHS).items() if key in settled}
    if settled.get("default", 0) is None:  # a null that says "not given" helps nobody who completes a key
        del settled["default"]
    return settled


def _let_repeats_in(definitions: dict[str, JsonSchema]) -> None:
    """Blocks become a definition of their own, in which a `repeat` may stand among them."""
    blocks = definitions["SequenceSpec"]["properties"]["blocks"]
    written = {key: value for key, value in blocks.items() if key != "description"}
    definitions["Block"] = {"anyOf": [*written["items"]["oneOf"], {"$ref": f"{_REF}RepeatedBlocks"}]}
    block = {"$ref": f"{_REF}Block"}
    definitions["Blocks"] = {**written, "items": block}

    def replace(node: Any) -> Any:
        if isinstance(node, list):
            return [replace(item) for item in node]
        if not isinstance(node, dict):
            return node
        if node.get("items") == written["items"]:
            said = {key: value for key, value in node.items() if key not in written}
            return {**said, "allOf": [{"$ref": f"{_REF}Blocks"}]} if said else {"$ref": f"{_REF}Blocks"}
        return {key: replace(value) for key, value in node.items()}

    for name in definitions:
        if name != "Blocks":
            definitions[name] = replace(definitions[name])
    definitions["Repeat"]["properties"]["blocks"] |= {"items": block}
    definitions["Repeat"]["properties"]["index"]["anyOf"][0]["pattern"] = _NAME
    definitions["RepeatedBlocks"] = {
        "description": definitions["Repeat"]["description"],
        "type": "object",
        "properties": {"repeat": {"$ref": f"{_REF}Repeat"}},
        "required": ["repeat"],
        "additionalProperties": False,
    }


def _params(declared: JsonSchema) -> JsonSchema:
    number: JsonSchema = {"type": "number", "minimum": -MAX_VALUE, "maximum": MAX_VALUE}
    values = {"anyOf": [number, _EXPRESSION]}
    return {
        "description": declared["description"],
        "type": ["object", "null"],
        "maxProperties": MAX_PARAMS,
        "propertyNames": {"pattern": _NAME},
        "additionalProperties": {
            "anyOf": [*values["anyOf"], {"type": "array", "items": values, "maxItems": MAX_ITEMS}]
        },
    }


def _add_overs(name: str, definitions: dict[str, JsonSchema]) -> None:
    """Add, for the mapping `name` and all that are merged inside it, a definition that requires nothing."""
    if f"{name}{_OVER}" in definitions:
        return
    whole = definitions[name]
    over = {key: value for key, value in whole.items() if key != "required"}
    definitions[f"{name}{_OVER}"] = over
    inside: list[str] = []
    over["properties"] = {key: _over(value, definitions, inside.append) for key, value in whole["properties"].items()}
    for each in inside:
        _add_overs(each, definitions)


def _over(node: JsonSchema, definitions: dict[str, JsonSchema], found: Callable[[str], None]) -> JsonSchema:
    """A property whose mappings need not be whole; what stands in lists stays as it is."""
    name = node.get("$ref", "").removeprefix(_REF)
    if "properties" in definitions.get(name, {}):
        found(name)
        return {**node, "$ref": f"{_REF}{name}{_OVER}"}
    forms = [key for key in ("anyOf", "oneOf", "allOf") if key in node]
    if not forms:
        return node
    rest = {key: value for key, value in node.items() if key not in forms}
    words = {"oneOf": "anyOf"}  # without their keys, several may fit
    return rest | {words.get(key, key): [_over(each, definitions, found) for each in node[key]] for key in forms}
