"""`codecspec compress`: images to files of bits."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from codecspec.cli.completion import model_words
from codecspec.cli.jobs import Content, Job, jobs_of, run_jobs, write_bytes
from codecspec.cli.max_memory import MaxMemory, memory_allowed
from codecspec.cli.models import open_model
from codecspec.cli.outputs import require_output
from codecspec.cli.say import note
from codecspec.schema.errors import UsageError

if TYPE_CHECKING:
    from codecspec.runtime.codec import Codec

ENDING = ".csp"
POSITION_BY_POSITION = (
    "this model codes y position by position, so the stream is exact: another device or number of threads than wrote "
    "it may be unable to decode it, and then says so"
)


def compress(
    images: Annotated[
        list[str], typer.Argument(metavar="IMG...", help="Images (PNG, JPEG, WebP, PPM, ..), folders or -")
    ],
    model: Annotated[
        str,
        typer.Option(
            "-m",
            metavar="MODEL",
            help="A saved model, a checkpoint, a zoo name or a YAML file.",
            autocompletion=model_words,
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "-o", metavar="FILE", help="The coded file; a folder for several images. Default: beside the image."
        ),
    ] = None,
    profile: Annotated[
        Literal["portable", "exact"] | None,
        typer.Option(
            help="portable (default where possible): decodes on other machines. exact: only where it was written."
        ),
    ] = None,
    coder: Annotated[
        Literal["codecspec", "compressai"], typer.Option(help="The entropy coder; compressai is slower.")
    ] = "codecspec",
    max_memory: MaxMemory = None,
    reconstruction: Annotated[
        Path | None, typer.Option(metavar="IMAGE", help="Also write the reconstruction of the encoder's forward pass.")
    ] = None,
    verbose: Annotated[
        bool,
        typer.Option("-v", "--verbose", help="Print more: the bits of each part beside their estimates."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace existing files that -o does not name.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: each file's size and times, with -v the bits of each part.")
    ] = False,
) -> None:
    """Code images into files."""
    import torch

    from codecspec.runtime.image_files import READ_ENDINGS, format_of, read_image_file, write_image
    from codecspec.runtime.part_timer import described, part_times
    from codecspec.runtime.streams.image_streams import encode_image
    from codecspec.runtime.streams.rate_report import PartRate, rates_described

    allowed = memory_allowed(max_memory)
    others = (model, reconstruction)
    jobs = jobs_of(images, output, endings=READ_ENDINGS, ending=ENDING, force=force, others=others)
    if reconstruction is not None:
        if len(jobs) > 1:
            raise UsageError("E-usage", "--reconstruction", f"it is of one image, and there are {len(jobs)}")
        require_output(reconstruction, jobs[0].source, model)
        format_of(reconstruction)

    @cache
    def opened() -> Codec:
        codec = open_model(model, limited=allowed is not None)
        codec.prepare_tables()
        if not codec.portable and profile is None:
            note(POSITION_BY_POSITION)
        return codec

    def work(job: Job) -> Content:
        file = read_image_file(job.read(), job.name)
        codec = opened()
        x = file.x_for(codec.spec.in_channels, job.name)
        rates: list[PartRate] | None = [] if verbose else None
        with codec.limited(allowed), part_times(codec) as seconds:
            stream = encode_image(codec, x, bit_depth=file.bit_depth, profile=profile, coder=coder, rates=rates)
        if reconstruction is not None:
            with codec.limited(allowed), torch.no_grad():
                write_image(codec(x)["x_hat"], reconstruction)
        data = stream.to_bytes()
        write_bytes(data, job)
        width, height = stream.header.picture.width, stream.header.picture.height
        bpp = 8 * len(data) / (height * width)
        job.say(
            f"{job.name} {width}x{height} -> {job.output or 'stdout'}: {len(data):,} bytes, {bpp:.4f} bits per pixel"
        )
        if verbose or len(jobs) == 1:
            job.say(f"  {described(seconds)}")
        for line in rates_described(stream, rates, codec.parts(height, width)) if rates else ():
            job.say(line)
        said = {"width": width, "height": height, "bytes": len(data), "bits_per_pixel": bpp, "seconds": dict(seconds)}
        return said | ({"parts": [asdict(rate) for rate in rates]} if rates else {})

    run_jobs(jobs, work, "coding", as_json=as_json)
