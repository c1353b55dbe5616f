"""`codecspec schema`: the language for editors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from codecspec.cli.outputs import require_output
from codecspec.cli.say import print_json, remark
from codecspec.schema.whole_file import whole_file


def schema(
    output: Annotated[
        Path | None, typer.Option("-o", metavar="FILE", help="Write it to a file, e.g. codecspec.schema.json.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="With -o: print what was saved as JSON.")] = False,
) -> None:
    """Print the JSON Schema of specs, for completion and checks in an editor.

    An editor with a YAML language server uses it if the first line of a spec is
    `# yaml-language-server: $schema=codecspec.schema.json`, a path relative to the spec's folder.
    """
    from codecspec.schema.json_schema import json_schema

    text = json.dumps(json_schema(), indent=1) + "\n"
    if output is None:
        print(text, end="")
        return
    require_output(output)
    with whole_file(output) as partial:
        partial.write_text(text, encoding="utf-8")
    if as_json:
        print_json({"saved": str(output), "bytes": output.stat().st_size})
        return
    remark(f"saved {output} ({output.stat().st_size:,} bytes)")
    remark(f"First line of a spec beside it: # yaml-language-server: $schema={output.name}")
