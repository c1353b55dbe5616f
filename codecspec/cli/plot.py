"""`codecspec plot`: curves of rate against quality."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codecspec.cli.named_curves import MetricOption, named_curves
from codecspec.cli.outputs import require_output
from codecspec.cli.say import print_json, remark


def plot(
    results: Annotated[list[Path], typer.Argument(metavar="RESULTS.json...", help="Results, one file per curve.")],
    output: Annotated[Path, typer.Option("-o", metavar="OUT", help="The plot: .svg, .png or .html.")],
    metric: MetricOption = "psnr",
    title: Annotated[str, typer.Option(help="A title.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print what was drawn as JSON.")] = False,
) -> None:
    """Plot rate-distortion curves: measured ones solid, published ones dashed.

    RESULTS have the form that CompressAI's eval_model prints, {"name": .., "results": {"bpp": [..], "psnr-rgb": [..]}};
    with "provenance": "measured" they count as measured. The same results give the same bytes.
    """
    from codecspec.runtime.curves import plot_curves, require_ending

    require_ending(output)
    require_output(output, *results)
    curves = named_curves(results, metric)
    plot_curves(curves, output, title)
    if as_json:
        said = [{"name": each.name, "provenance": each.provenance, "points": each.points} for each in curves]
        print_json({"saved": str(output), "metric": metric, "curves": said})
        return
    for each in curves:
        remark(f"{each.name} ({each.provenance}): {each.counted}")
    remark(f"saved {output} ({output.stat().st_size:,} bytes)")
