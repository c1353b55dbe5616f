"""`codecspec stats`: what codecs cost, side by side."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from codecspec.cli.completion import param_words, spec_words
from codecspec.cli.params import params_of
from codecspec.cli.say import console, print_json
from codecspec.schema.errors import UsageError

if TYPE_CHECKING:
    from codecspec.compiler.statistics import Statistics

TITLES = {"aux": "aux (training only)"}
MIB = 2**20


def stats(
    specs: Annotated[
        list[str],
        typer.Argument(metavar="SPEC|NAME...", help="YAML files, or names of zoo specs.", autocompletion=spec_words),
    ],
    assignments: Annotated[
        list[str],
        typer.Option("--set", metavar="K=V", help="Set a param, in every spec.", autocompletion=param_words),
    ] = [],  # noqa: B006
    size: Annotated[str, typer.Option(metavar="WxH", help="Image size in pixels, for the memory.")] = "768x512",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare parameters, multiply-accumulates and memory of codecs, without weights or PyTorch.

    kMAC/px: thousand multiply-accumulates per pixel (a MAC is two FLOP). Activations: the peak memory of float32
    activations for one image through encoder and decoder; likelihoods and entropy coding come on top.
    """
    from codecspec.compiler.lower import lower
    from codecspec.compiler.statistics import statistics
    from codecspec.schema.load import load_spec

    pixels = image_size(size)
    params = params_of(assignments)
    figures = [statistics(lower(load_spec(spec, **params)), pixels) for spec in specs]
    if as_json:
        print_json([{"spec": spec, **asdict(each)} for spec, each in zip(specs, figures, strict=True)])
        return
    _print(specs, figures)


def image_size(text: str) -> tuple[int, int]:
    """(width, height) in pixels of `768x512`.

    Raises:
        UsageError: that is no size, or none that an image can have.
    """
    from codecspec.compiler.statistics import MAX_SIDE

    match = re.fullmatch(r"(\d{1,9})x(\d{1,9})", text)
    if match is None:
        raise UsageError("E-usage", f"--size {text}", "a size is width and height in pixels, e.g. --size 768x512")
    width, height = int(match[1]), int(match[2])
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise UsageError("E-usage", f"--size {text}", f"an image's sides are 1 to {MAX_SIDE} pixels")
    return width, height


def _print(specs: list[str], figures: list[Statistics]) -> None:
    from rich.table import Table

    parts = list(dict.fromkeys(part for each in figures for part in each.parameters_by_part))
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", no_wrap=True)
    for spec in specs:
        table.add_column(spec, justify="right", overflow="fold")

    def row(title: str, row_figures: Iterable[float | None], form: str, style: str = "") -> None:
        table.add_row(title, *("" if each is None else format(each, form) for each in row_figures), style=style)

    def block(title: str, name: str, form: str, scale: float = 1) -> None:
        row(title, (getattr(each, name) / scale for each in figures), form, "bold")
        for part in parts:
            by_part = [getattr(each, f"{name}_by_part").get(part) for each in figures]
            row(f"  {TITLES.get(part, part)}", (None if own is None else own / scale for own in by_part), form)

    block("parameters", "parameters", ",.0f")
    block("kMAC/px", "kmacs_per_pixel", ",.2f")
    row("  encoder (all but g_s)", (each.encoder_kmacs_per_pixel for each in figures), ",.2f")
    row("  decoder (all but g_a, h_a)", (each.decoder_kmacs_per_pixel for each in figures), ",.2f")
    block("activations, MiB", "activation_bytes", ",.1f", MIB)
    row("weights, MiB", (each.weight_bytes / MIB for each in figures), ",.1f", "bold")
    out = console(40 + 24 * len(specs))
    out.print(table)
    out.print(f"activations for {_images(figures)}, float32", soft_wrap=True, style="dim")


def _images(figures: Iterable[Statistics]) -> str:
    padded = {each.padded_size for each in figures}
    size = next(iter(figures)).size
    said = f"one image of {size[0]}x{size[1]}"
    return said if padded == {size} else f"{said}, padded to {', '.join(f'{w}x{h}' for w, h in sorted(padded))}"
