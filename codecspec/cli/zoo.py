"""`codecspec zoo`: what comes with codecspec."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer

from codecspec import specs
from codecspec.cli.fitting_table import FittingTable
from codecspec.cli.say import print_json, remark


def zoo(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the specs that come with codecspec."""
    rows = [_row(name) for name in specs.names()]
    if as_json:
        print_json(rows)
        return
    table = FittingTable("licence of reference code", "venue")
    for title in ("name", "venue", "parameters", "kMAC/px", "licence of reference code"):
        table.add_column(title, justify="right" if title in ("parameters", "kMAC/px") else "left")
    for row in rows:
        licence = row["code_licence"] or "not recorded"
        table.add_row(row["name"], row["venue"], f"{row['parameters']:,}", f"{row['kmacs_per_pixel']:,.1f}", licence)
    table.print()
    remark("No weights are hosted: compile-spec NAME --weights CKPT loads the authors' checkpoints.")


def _row(name: str) -> dict[str, Any]:
    from codecspec.compiler.lower import lower
    from codecspec.compiler.statistics import statistics
    from codecspec.schema.load import load_spec

    spec = load_spec(name)
    figures = statistics(lower(spec))
    reference = spec.reference
    return {
        "name": name,
        "title": reference.title if reference else "",
        "venue": reference.venue if reference else "",
        "year": _year(reference.venue) if reference else None,
        "parameters": figures.parameters,
        "kmacs_per_pixel": figures.kmacs_per_pixel,
        "code_licence": reference.code_licence if reference else "",
    }


def _year(venue: str) -> int | None:
    """The year in a venue: `CVPR 2022`."""
    found = re.search(r"\b(?:19|20)\d\d\b", venue)
    return int(found[0]) if found else None
