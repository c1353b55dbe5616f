"""`codecspec stream`: what is in a coded image."""

from __future__ import annotations

from dataclasses import asdict
from itertools import zip_longest
from typing import TYPE_CHECKING, Annotated

import typer

from codecspec.cli.completion import model_words
from codecspec.cli.jobs import Job, read_stream
from codecspec.cli.say import print_json

if TYPE_CHECKING:
    from codecspec.runtime.streams.container import Stream
    from codecspec.runtime.streams.rate_report import PartRate


def stream(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A coded image, or -")],
    model: Annotated[
        str | None,
        typer.Option(
            "-m",
            metavar="MODEL",
            help="Decode it, and print the estimated bits of each part.",
            autocompletion=model_words,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what is in a coded image; without -m, PyTorch is not needed."""
    from codecspec.runtime.streams.container import Stream

    data = read_stream(Job.of(file))
    found = Stream.from_bytes(data)
    rates, described = _rates(found, model) if model is not None else ([], [])
    if as_json:
        print_json(_content(found, data, rates))
        return
    for line in [*_lines(found, data, file), *described]:
        print(line)


def _lines(found: Stream, data: bytes, file: str) -> list[str]:
    header = found.header
    picture = header.picture
    pixels = picture.width * picture.height
    colours = {1: "grey", 3: "RGB"}.get(picture.channels, f"{picture.channels} channels")
    head = f"{file}: {picture.width}x{picture.height}, {colours}, {picture.bit_depth} bits a sample"
    lines = [
        f"{head}; {len(data):,} bytes, {8 * len(data) / pixels:.4f} bits per pixel",
        f"  spec     {header.model.spec.hex()}",
        f"  weights  {header.model.weights.hex()}",
        f"  tables   {header.model.tables.hex()}",
        f"  coded by {header.coder}, {header.profile}, numerics {header.numerics}",
        f"  padded   to multiples of {header.multiple} ({header.padding})",
        f"  {'chunk':30}{'bytes':>10}{'bits per pixel':>16}{'share':>9}",
    ]
    for label, chunk in zip(found.labels(), found.chunks, strict=True):
        lines.append(_row(label, len(chunk.data), pixels, len(data)))
    return [*lines, _row("header and chunk table", found.overhead_bytes, pixels, len(data))]


def _row(label: str, size: int, pixels: int, total: int) -> str:
    return f"  {label:30}{size:>10,}{8 * size / pixels:>16.4f}{100 * size / total:>7.1f} %"


def _content(found: Stream, data: bytes, rates: list[PartRate]) -> dict[str, object]:
    header = found.header
    picture = header.picture
    return {
        "bytes": len(data),
        "bits_per_pixel": 8 * len(data) / (picture.width * picture.height),
        "width": picture.width,
        "height": picture.height,
        "channels": picture.channels,
        "bit_depth": picture.bit_depth,
        "spec": header.model.spec.hex(),
        "weights": header.model.weights.hex(),
        "tables": header.model.tables.hex(),
        "coder": header.coder,
        "profile": header.profile,
        "numerics": header.numerics,
        "padding": {"mode": header.padding, "multiple": header.multiple},
        "overhead_bytes": found.overhead_bytes,
        "chunks": [
            {"name": label, "bytes": len(chunk.data), **(asdict(rate) if rate else {})}
            for label, chunk, rate in zip_longest(found.labels(), found.chunks, rates)
        ],
    }


def _rates(found: Stream, model: str) -> tuple[list[PartRate], list[str]]:
    """What each part should cost, and that in words."""
    from codecspec.cli.models import open_model
    from codecspec.runtime.streams.image_streams import decode_image
    from codecspec.runtime.streams.rate_report import rates_described

    codec = open_model(model)
    rates: list[PartRate] = []
    decode_image(codec, found, rates=rates)
    picture = found.header.picture
    return rates, rates_described(found, rates, codec.parts(picture.height, picture.width))
