"""`infer-spec`: recover the spec of a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codecspec.cli.run import run
from codecspec.schema.errors import UsageError

app = typer.Typer(
    add_completion=False, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]}
)


@app.command()
def infer_spec(checkpoint: Annotated[Path, typer.Argument(metavar="CKPT", help="A checkpoint.")]) -> None:
    """Recover the spec that a checkpoint was built from. Not yet there."""
    message = "infer-spec is not yet there in this version"
    raise UsageError("E-usage", str(checkpoint), message, "name the model: compile-spec NAME --weights CKPT")


def main() -> None:
    """Entry point of `infer-spec`."""
    run(app)
