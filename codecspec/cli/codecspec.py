"""`codecspec`: code images, and what else there is to do with a compiled codec."""

from __future__ import annotations

import typer

from codecspec.cli.bd import bd
from codecspec.cli.bench import bench
from codecspec.cli.compress import compress
from codecspec.cli.convert import convert
from codecspec.cli.decompress import decompress
from codecspec.cli.diff import diff
from codecspec.cli.doctor import doctor
from codecspec.cli.eval import eval_models
from codecspec.cli.inspect import inspect
from codecspec.cli.plot import plot
from codecspec.cli.run import run
from codecspec.cli.scan import scan_folder
from codecspec.cli.schema import schema
from codecspec.cli.stats import stats
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
app.command("eval", epilog="Example: codecspec eval q1.safetensors q2.safetensors kodak -o wacnn-kodak")(eval_models)
app.command(epilog="Example: codecspec convert ckpt.pth.tar --to canonical -o wacnn.safetensors")(convert)
app.command(epilog="Example: codecspec diff wacnn ckpt.pth.tar")(diff)
app.command(epilog="Example: codecspec doctor ckpt.pth.tar kodak -v")(doctor)
app.command("scan", epilog="Example: codecspec scan ~/checkpoints")(scan_folder)
app.command(epilog="Example: codecspec plot mine.json bpg.json -o curve.svg")(plot)
app.command(epilog="Example: codecspec bd bpg.json mine.json")(bd)
app.command(epilog="Example: codecspec schema -o codecspec.schema.json")(schema)
app.command(epilog="Example: codecspec stats wacnn tcm --size 2048x1360")(stats)
app.command(epilog="Example: codecspec inspect ckpt.pth.tar --depth 3")(inspect)
app.command(epilog="Example: codecspec stream photo.csp")(stream)
app.command(epilog="Example: codecspec bench tcm --set N=64 --json before.json")(bench)
app.command(epilog="Example: codecspec zoo")(zoo)


def main() -> None:
    """Entry point of `codecspec`."""
    run(app)
