"""`codecspec convert`: a checkpoint under other keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codecspec.cli.completion import layout_words, param_words, spec_words
from codecspec.cli.outputs import require_output
from codecspec.cli.params import params_of
from codecspec.cli.say import print_json, remark
from codecspec.schema.errors import UsageError


def convert(
    checkpoint: Annotated[Path, typer.Argument(metavar="CKPT", help="A checkpoint in any known layout.")],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="LAYOUT",
            help="canonical, authors, compressai or compressai-1.2.",
            autocompletion=layout_words,
        ),
    ],
    output: Annotated[Path, typer.Option("-o", metavar="OUT", help="Output file: .safetensors or .pth.")],
    spec: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC|NAME",
            help="The model. Default: the spec in the file, or inferred.",
            autocompletion=spec_words,
        ),
    ] = None,
    assignments: Annotated[
        list[str], typer.Option("--set", metavar="K=V", help="Set a param of the spec.", autocompletion=param_words)
    ] = [],  # noqa: B006
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with every tensor that was moved.")] = False,
) -> None:
    """Convert a checkpoint to another layout; every tensor is accounted for."""
    from codecspec.compiler.checkpoints import weights_format, write_tensors
    from codecspec.compiler.convert import convert as convert_checkpoint
    from codecspec.schema.load import load_spec

    require_output(output, checkpoint, spec)
    weights_format(output)
    if assignments and spec is None:
        raise UsageError("E-usage", "--set", "params are those of a spec, and none is given", "--spec NAME")
    model = load_spec(spec, **params_of(assignments)) if spec is not None else None
    conversion = convert_checkpoint(checkpoint, to, spec=model)
    write_tensors(conversion.tensors, output)
    if as_json:
        print_json(
            {
                "saved": str(output),
                "bytes": output.stat().st_size,
                "layout": conversion.layout,
                "tensors": list(conversion.tensors),
                "report": list(conversion.report),
            }
        )
        return
    for line in conversion.report:
        remark(line if line.endswith(":") else f"  {line}")
    remark(f"saved {output} ({output.stat().st_size:,} bytes)")
