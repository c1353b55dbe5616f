"""`codecspec compress`: an image to a file of bits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codecspec.cli.models import open_model
from codecspec.cli.outputs import require_output
from codecspec.schema.whole_file import whole_file


def compress(
    image: Annotated[Path, typer.Argument(help="The image: PNG, JPEG, WebP, PPM, ..")],
    model: Annotated[str, typer.Option("-m", metavar="MODEL", help="A saved model, a spec's name or a YAML file.")],
    output: Annotated[Path, typer.Option("-o", metavar="FILE", help="Where the coded image goes.")],
    reconstruction: Annotated[
        Path | None, typer.Option(metavar="IMAGE", help="Also write what the encoder's own forward pass gives.")
    ] = None,
) -> None:
    """Code an image."""
    import torch

    from codecspec.runtime.image_files import format_of, read_image, write_image
    from codecspec.runtime.part_timer import described, part_times
    from codecspec.runtime.streams import Stream, parts_of

    require_output(output, image, model, reconstruction)
    if reconstruction is not None:
        require_output(reconstruction, image, model)
        format_of(reconstruction)
    x = read_image(image)
    codec = open_model(model)
    codec.prepare_tables()
    with part_times(codec) as seconds:
        out = codec.compress(x)
    height, width = (int(side) for side in out["shape"])
    data = Stream(codec.spec_hash, height, width, parts_of(out["strings"])).to_bytes()
    if reconstruction is not None:
        with torch.no_grad():
            write_image(codec(x)["x_hat"], reconstruction)
    with whole_file(output) as partial:
        partial.write_bytes(data)
    bpp = 8 * len(data) / (height * width)
    print(f"{image} {width}x{height} -> {output}: {len(data):,} bytes, {bpp:.4f} bits per pixel")
    print(f"  {described(seconds)}")
