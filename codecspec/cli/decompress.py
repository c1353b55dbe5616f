"""`codecspec decompress`: a file of bits to an image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codecspec.cli.models import open_model
from codecspec.cli.outputs import require_output
from codecspec.schema.errors import StreamError


def decompress(
    file: Annotated[Path, typer.Argument(help="A coded image.")],
    model: Annotated[str, typer.Option("-m", metavar="MODEL", help="The model that it was coded with.")],
    output: Annotated[
        Path, typer.Option("-o", metavar="IMAGE", help="Where the image goes; its ending is its format.")
    ],
) -> None:
    """Decode an image."""
    from codecspec.runtime.image_files import format_of, write_image
    from codecspec.runtime.part_timer import described, part_times
    from codecspec.runtime.streams import Stream, require_same_spec

    require_output(output, file, model)
    format_of(output)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise StreamError("E-stream", str(file), f"it cannot be read: {error.strerror or error}") from error
    stream = Stream.from_bytes(data)
    codec = open_model(model)
    require_same_spec(stream, codec.spec_hash)
    codec.prepare_tables()
    with part_times(codec) as seconds:
        out = codec.decompress([[part] for part in stream.parts], (stream.height, stream.width))
    write_image(out["x_hat"], output)
    print(f"{file} -> {output}: {stream.width}x{stream.height}")
    print(f"  {described(seconds)}")
