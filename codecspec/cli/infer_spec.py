"""`infer-spec`: recover the spec of a checkpoint."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codecspec.cli.command import add_command, new_app
from codecspec.cli.exits import ExitCode
from codecspec.cli.outputs import require_output
from codecspec.cli.run import run
from codecspec.cli.say import print_json, problems_json, report
from codecspec.cli.state_dict_key import StateDictKey
from codecspec.schema.errors import SpecError, UsageError
from codecspec.schema.whole_file import whole_file

if TYPE_CHECKING:
    from codecspec.compiler.inference.infer import Inference


def infer_spec(
    checkpoint: Annotated[str, typer.Argument(metavar="CKPT", help="A checkpoint: a file, a folder of shards, a URL.")],
    output: Annotated[Path | None, typer.Option("-o", metavar="SPEC.yaml", help="Write the spec to a file.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Write the whole spec instead of `extends` and params.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 unless exactly one family fits.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with the evidence for every field.")] = False,
    key: StateDictKey = None,
) -> None:
    """Recover the spec of a checkpoint, with proof, and list what weights do not determine.

    The spec goes to stdout, the explanation to stderr. No code in the file is run.
    """
    from codecspec.compiler.inference.infer import infer_spec as infer
    from codecspec.compiler.inference.misfit import MisfitError
    from codecspec.schema.spec_files import WEIGHTS

    if output is not None:
        require_output(output, checkpoint)
        if output.suffix in WEIGHTS:
            message = f"a spec is YAML, and files that end in {output.suffix} hold weights"
            raise UsageError("E-output", str(output), message, "-o SPEC.yaml")
    try:
        found = infer(checkpoint, key=key)
    except SpecError as error:
        if not as_json:
            raise
        understood = dict(error.understood) if isinstance(error, MisfitError) else {}
        print_json({**problems_json(error), "understood": understood})
        raise typer.Exit(ExitCode.WRONG) from None
    text = found.text(full=full)
    if output is not None:
        with whole_file(output) as partial:
            partial.write_text(f"# Inferred from {Path(checkpoint).name}, {_fits(found)}.\n{text}")
    if as_json:
        print_json(as_content(found, text))
    elif output is None:
        print(text, end="")
    if not as_json:
        for line in summary(checkpoint, found):
            report(line)
        if output is not None:
            report(f"wrote {output}")
    if strict and not found.is_certain:
        raise typer.Exit(ExitCode.UNCERTAIN)


def as_content(found: Inference, text: str) -> dict[str, Any]:
    """An inference as JSON content."""
    from codecspec.compiler.canonical import spec_hash

    return {
        "family": found.family,
        "params": {name: _listed(value) for name, value in found.params.items()},
        "overrides": {name: _listed(value) for name, value in found.overrides.items()},
        "layout": found.layout,
        "hash": spec_hash(found.spec),
        "tensors": len(found.manifest),
        "spec": text,
        "alternatives": list(found.alternatives),
        "notes": list(found.notes),
        "unused": list(found.unused),
        "evidence": {
            path: {
                "status": each.status,
                "value": each.value,
                "key": each.key,
                "shape": list(each.shape),
                "alternatives": list(each.alternatives),
            }
            for path, each in found.evidence.items()
        },
    }


def summary(checkpoint: str, found: Inference) -> list[str]:
    """What is worth saying of an inference, in lines."""
    named = ", ".join(f"{name}={_listed(value)}" for name, value in found.overrides.items())
    family = f"{found.family} ({named})" if named else found.family
    lines = [f"{checkpoint}: {family or 'of no family in the zoo'}, {_fits(found)}"]
    for name in found.overrides:
        each = found.evidence[f"params.{name}"]
        by = f"by {each.key} {list(each.shape)}" if each.key else "from several tensors together"
        lines.append(f"  {name} = {_listed(each.value)} {by}")
    lines += [f"  {note}" for note in found.notes]
    if found.unused:
        lines.append(f"  {len(found.unused)} redundant tensors left out ({found.unused[0]}, ..)")
    if found.alternatives:
        lines.append(f"  other families with exactly these tensors: {', '.join(found.alternatives)}")
    source = "the family's" if found.family else "documented defaults"
    assumed = {path: each for path, each in found.evidence.items() if each.status == "assumed"}
    lines.append(f"  weights do not determine {len(assumed)} of {len(found.evidence)} fields, which are {source}:")
    lines.append(f"    {_counted(list(assumed))}")
    for path, each in assumed.items():
        if each.alternatives and not path.endswith(".type"):
            lines.append(f"    {path} is {_short(each.value)}; the same tensors allow {' or '.join(each.alternatives)}")
    return lines


def _fits(found: Inference) -> str:
    return f"whose plan has exactly these {len(found.manifest):,} tensors (layout: {found.layout})"


def _counted(paths: list[str]) -> str:
    """Paths by their last segment, the most frequent first."""
    names = Counter(path.rpartition(".")[2] for path in paths)
    said = {"type": "type of a layer"}
    return ", ".join(f"{said.get(name, name)} ({count})" for name, count in names.most_common())


def _short(value: Any) -> str:
    return ", ".join(f"{k}: {v}" for k, v in value.items()) or "all" if isinstance(value, dict) else str(value)


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


app = new_app()
add_command(
    app,
    infer_spec,
    """
    infer-spec ckpt.pth.tar -o recovered.yaml
    infer-spec ckpt.pth.tar --strict --json      for programs
    """,
    exits={ExitCode.UNCERTAIN: "--strict: not exactly one family has these tensors"},
)


def main() -> None:
    """Entry point of `infer-spec`."""
    run(app)
