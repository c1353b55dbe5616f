"""`codecspec scan`: a table of every checkpoint in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codecspec.cli.progress import progress_bar
from codecspec.cli.say import console, print_json, remark
from codecspec.schema.errors import UsageError

if TYPE_CHECKING:
    from codecspec.compiler.inference.scan import Scanned


def scan_folder(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder, searched recursively.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List every checkpoint below a folder: family, params, layout and size, or why it is not recognised."""
    from codecspec.compiler.inference.scan import checkpoints_below, scan

    if not folder.is_dir():
        raise UsageError("E-usage", str(folder), "it is a file" if folder.exists() else "no such folder")
    paths = checkpoints_below(folder)
    with progress_bar(len(paths), "scanning") as advance:
        rows = scan(paths, done=lambda: advance(1))
    if as_json:
        print_json([_content(row) for row in rows])
        return
    if not rows:
        print(f"no checkpoints below {folder}")
        return
    _print_table(folder, rows)


def _print_table(folder: Path, rows: list[Scanned]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("file", "family", "params", "layout", "tensors", "size"):
        table.add_column(title, justify="right" if title in ("tensors", "size") else "left", overflow="fold")
    for row in rows:
        name = str(Path(row.path).relative_to(folder))
        size = f"{row.size / 1e6:,.1f} MB"
        if row.problem:
            table.add_row(name, "-", row.problem, "", "", size)
        else:
            table.add_row(name, row.family or f"({row.name})", _params(row), row.layout, f"{row.tensors:,}", size)
    console().print(table)
    remark(f"{len(rows)} checkpoints, {sum(not row.problem for row in rows)} recognised")


def _params(row: Scanned) -> str:
    return ", ".join(f"{name}={list(v) if isinstance(v, tuple) else v}" for name, v in row.overrides)


def _content(row: Scanned) -> dict[str, Any]:
    return {
        "path": row.path,
        "size": row.size,
        "family": row.family,
        "params": {name: list(value) if isinstance(value, tuple) else value for name, value in row.overrides},
        "layout": row.layout,
        "tensors": row.tensors,
        "problem": row.problem,
    }
