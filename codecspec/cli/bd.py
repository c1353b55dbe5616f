"""`codecspec bd`: one codec against another by Bjontegaard's method."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from codecspec.cli.named_curves import MetricOption, named_curves
from codecspec.cli.say import print_json


def bd(
    anchor: Annotated[Path, typer.Argument(metavar="A.json", help="Results of the anchor codec.")],
    test: Annotated[Path, typer.Argument(metavar="B.json", help="Results of the codec under test.")],
    metric: MetricOption = "psnr",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare codec B with codec A by BD-rate and BD-PSNR (or BD-MS-SSIM).

    A negative BD-rate means that B saves bits. Each figure is given for cubic, PCHIP and Akima interpolation, over the
    range that both curves cover; each curve needs at least four points.
    """
    from codecspec.runtime.bjontegaard import METHODS, bjontegaard
    from codecspec.runtime.curves import TITLES

    curves = named_curves((anchor, test), metric)
    compared = bjontegaard(*curves)
    if as_json:
        print_json({"anchor": curves[0].name, "test": curves[1].name, **asdict(compared)})
        return
    name = f"BD-{TITLES[metric]}"
    quality, rate = compared.quality_overlap, compared.rate_overlap
    print(f"{curves[1].name} against {curves[0].name}")
    print(f"  {'method':8}{'BD-rate':>10}{name:>14}")
    for method in METHODS:
        print(f"  {method:8}{compared.rate_percent[method]:>+9.2f}%{compared.quality_db[method]:>+11.3f} dB")
    print(f"  BD-rate over {quality.low:.2f} to {quality.high:.2f} dB, {quality.share:.0%} of what either covers")
    print(f"  {name} over {rate.low:.3f} to {rate.high:.3f} bits per pixel, {rate.share:.0%}")
