"""`codecspec`: code images, and what else there is to do with a compiled codec."""

from __future__ import annotations

import typer

from codecspec.cli.compress import compress
from codecspec.cli.convert import convert
from codecspec.cli.decompress import decompress
from codecspec.cli.run import run
from codecspec.cli.stream import stream
from codecspec.cli.zoo import zoo

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Code images with codecs compiled from specs.",
)
app.command(epilog="Example: codecspec compress photo.png -m wacnn.safetensors -o photo.csp")(compress)
app.command(epilog="Example: codecspec decompress photo.csp -m wacnn.safetensors -o photo.png")(decompress)
app.command(epilog="Example: codecspec convert ckpt.pth.tar --spec wacnn --to canonical -o wacnn.safetensors")(convert)
app.command(epilog="Example: codecspec stream photo.csp")(stream)
app.command(epilog="Example: codecspec zoo")(zoo)


def main() -> None:
    """Entry point of `codecspec`."""
    run(app)
