"""`codecspec`: code images, and what else there is to do with a compiled codec."""

from __future__ import annotations

from codecspec.cli.bd import bd
from codecspec.cli.bench import bench
from codecspec.cli.command import add_command, new_app
from codecspec.cli.compress import compress
from codecspec.cli.convert import convert
from codecspec.cli.decompress import decompress
from codecspec.cli.diff import diff
from codecspec.cli.doctor import doctor
from codecspec.cli.eval import eval_models
from codecspec.cli.exits import ExitCode
from codecspec.cli.inspect import inspect
from codecspec.cli.plot import plot
from codecspec.cli.run import run
from codecspec.cli.scan import scan_folder
from codecspec.cli.schema import schema
from codecspec.cli.stats import stats
from codecspec.cli.stream import stream
from codecspec.cli.zoo import zoo

app = new_app(
    "Code images with learned codecs, evaluate and compare codecs, and examine specs, checkpoints and coded images. "
    "Beside it, `compile-spec` builds a codec from a spec, and `infer-spec` recovers the spec of a checkpoint.",
    "codecspec eval ckpt.pth.tar kodak",
)
add_command(
    app,
    compress,
    """
    codecspec compress photo.png -m wacnn.safetensors -o photo.csp
    codecspec compress photos -m wacnn.safetensors -o coded --json
    """,
)
add_command(
    app,
    decompress,
    """
    codecspec decompress photo.csp -m wacnn.safetensors -o photo.png
    codecspec decompress coded -m wacnn.safetensors -o decoded
    """,
)
add_command(
    app,
    eval_models,
    """
    codecspec eval q1.safetensors q2.safetensors kodak -o wacnn-kodak
    codecspec eval mbt2018-mean photos --estimate        rates estimated, nothing coded
    """,
    name="eval",
)
add_command(
    app,
    convert,
    """
    codecspec convert ckpt.pth.tar --to canonical -o wacnn.safetensors
    codecspec convert wacnn.safetensors --to authors -o back.pth
    """,
)
add_command(
    app,
    diff,
    """
    codecspec diff wacnn ckpt.pth.tar
    codecspec diff elic elic-chandelier --json
    """,
    exits={ExitCode.FOUND: "they differ"},
)
add_command(
    app,
    doctor,
    """
    codecspec doctor ckpt.pth.tar kodak -v
    codecspec doctor ckpt.pth.tar --repair repaired.safetensors
    """,
    exits={ExitCode.FOUND: "something is wrong with the checkpoint"},
)
add_command(app, scan_folder, "codecspec scan ~/checkpoints", name="scan")
add_command(app, plot, "codecspec plot mine.json bpg.json -o curve.svg")
add_command(app, bd, "codecspec bd bpg.json mine.json --metric ms-ssim")
add_command(app, schema, "codecspec schema -o codecspec.schema.json")
add_command(app, stats, "codecspec stats wacnn tcm --size 2048x1360")
add_command(app, inspect, "codecspec inspect ckpt.pth.tar --depth 3")
add_command(
    app,
    stream,
    """
    codecspec stream photo.csp
    codecspec stream photo.csp -m wacnn.safetensors      bits beside estimates
    """,
)
add_command(
    app,
    bench,
    """
    codecspec bench tcm --set N=64 -o before.json
    codecspec bench --compare before.json after.json
    """,
)
add_command(app, zoo, "codecspec zoo")


def main() -> None:
    """Entry point of `codecspec`."""
    run(app)
