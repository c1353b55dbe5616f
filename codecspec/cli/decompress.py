"""`codecspec decompress`: files of bits to images."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Annotated

import typer

from codecspec.cli.completion import model_words
from codecspec.cli.compress import ENDING
from codecspec.cli.jobs import Content, Job, jobs_of, read_stream, run_jobs, write_bytes
from codecspec.cli.max_memory import MaxMemory, memory_allowed
from codecspec.cli.models import open_model
from codecspec.cli.say import is_verbose, note
from codecspec.schema.whole_file import make_folder

if TYPE_CHECKING:
    from codecspec.runtime.codec import Codec


def decompress(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Coded images, folders of them, or -")],
    model: Annotated[
        str,
        typer.Option("-m", metavar="MODEL", help="The model that coded them.", autocompletion=model_words),
    ],
    output: Annotated[
        str | None,
        typer.Option("-o", metavar="IMAGE", help="The image, in the format of its ending; a folder for several files."),
    ] = None,
    max_memory: MaxMemory = None,
    force: Annotated[bool, typer.Option("--force", help="Replace existing files that -o does not name.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: each image's size and times.")] = False,
) -> None:
    """Decode images from coded files."""
    from codecspec.runtime.image_files import DEEP_WRITERS, format_of, png_bytes, write_image
    from codecspec.runtime.part_timer import described, part_times
    from codecspec.runtime.streams.container import Stream
    from codecspec.runtime.streams.image_streams import decode_image

    allowed = memory_allowed(max_memory)
    jobs = jobs_of(files, output, endings=(ENDING,), ending=".png", force=force, others=(model,))
    for job in jobs:
        if job.output is not None:
            format_of(job.output)

    @cache
    def opened() -> Codec:
        codec = open_model(model, limited=allowed is not None)
        codec.prepare_tables()
        return codec

    def work(job: Job) -> Content:
        stream = Stream.from_bytes(read_stream(job))
        codec = opened()
        with codec.limited(allowed), part_times(codec) as seconds:
            x_hat = decode_image(codec, stream)
        picture = stream.header.picture
        depth = picture.bit_depth
        if job.output is None:
            write_bytes(png_bytes(x_hat, bit_depth=depth), job)
        else:
            make_folder(job.output.parent)
            write_image(x_hat, job.output, bit_depth=depth)
            if depth > 8 and job.output.suffix.lower() not in DEEP_WRITERS:
                note(f"{job.output}: of {depth} bits a sample this format keeps 8; .png and .ppm keep all")
        job.say(f"{job.name} -> {job.output or 'stdout'}: {picture.width}x{picture.height}")
        if is_verbose() or len(jobs) == 1:
            job.say(f"  {described(seconds)}")
        return {"width": picture.width, "height": picture.height, "bit_depth": depth, "seconds": dict(seconds)}

    run_jobs(jobs, work, "decoding", as_json=as_json)
