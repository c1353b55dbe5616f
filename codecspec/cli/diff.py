"""`codecspec diff`: what differs between two models."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codecspec.cli.completion import model_words
from codecspec.cli.exits import ExitCode
from codecspec.cli.say import console, print_json, report

if TYPE_CHECKING:
    from codecspec.compiler.spec_diff import Difference
    from codecspec.schema.model import ModelSpec


def diff(
    first: Annotated[
        str,
        typer.Argument(metavar="A", help="A spec (a name or a file) or a checkpoint.", autocompletion=model_words),
    ],
    second: Annotated[
        str, typer.Argument(metavar="B", help="A spec or a checkpoint to compare with.", autocompletion=model_words)
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the differences between two specs or checkpoints, by path in the spec.

    For a checkpoint, fields that weights do not determine are its family's. Exits with 1 if there are differences.
    """
    from codecspec.compiler.canonical import spec_hash
    from codecspec.compiler.spec_diff import spec_differences

    one, other = spec_of(first), spec_of(second)
    found = spec_differences(one, other)
    same = spec_hash(one) == spec_hash(other)
    if as_json:
        rows = [{"path": each.path, "first": each.first, "second": each.second} for each in found]
        print_json({"same_hash": same, "hashes": [spec_hash(one), spec_hash(other)], "differences": rows})
    elif found:
        _print_table(first, second, found)
        if same:
            report("the same hash: nothing that changes a stream differs, only what training sees")
    else:
        print(f"no difference: both are {one.name}, hash {spec_hash(one)[:12]}")
    if found:
        raise typer.Exit(ExitCode.FOUND)


def spec_of(model: str) -> ModelSpec:
    """The canonical spec of a spec by name or file, or of a checkpoint.

    Raises:
        SpecError: there is no such model, or it is wrong.
    """
    from codecspec.compiler.inference.infer import infer_spec
    from codecspec.compiler.lower import lower
    from codecspec.schema.load import load_spec
    from codecspec.schema.spec_files import ENDINGS, WEIGHTS

    is_file = os.path.exists(model) and Path(model).suffix not in ENDINGS
    if is_file or Path(model).suffix in WEIGHTS:
        return infer_spec(model).spec
    return lower(load_spec(model)).spec


def _print_table(first: str, second: str, found: list[Difference]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("path", no_wrap=True)
    for name in (first, second):
        table.add_column(name, overflow="fold")
    for each in found:
        table.add_row(each.path, _shown(each.first), _shown(each.second))
    console().print(table)


def _shown(value: Any) -> str:
    """Plain data in a line, without fields that say nothing."""
    from codecspec.compiler.spec_diff import ABSENT

    if value is ABSENT:
        return "-"
    if isinstance(value, dict) and "blocks" in value:
        return f"{value['type']} of {len(value['blocks'])}: {', '.join(block['type'] for block in value['blocks'])}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{n}: {_shown(v)}" for n, v in value.items() if v is not None) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_shown, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)
