"""`compile-spec`: check a spec, show what it compiles to, build it and save it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codecspec.cli.command import add_command, new_app
from codecspec.cli.completion import param_words, spec_words
from codecspec.cli.outputs import require_codec_file, require_output
from codecspec.cli.params import params_of
from codecspec.cli.run import run
from codecspec.cli.say import note, print_json, remark
from codecspec.schema.errors import UsageError

if TYPE_CHECKING:
    from codecspec.compiler.plan import Plan

EXAMPLES = """
    compile-spec wacnn                          check, then show the tree
    compile-spec my.yaml --check                only check
    compile-spec wacnn --set N=128 --json       the plan as JSON
    compile-spec wacnn --graph wacnn.html       a picture with folding and search
    compile-spec wacnn --weights ckpt.pth.tar -o wacnn.safetensors
"""


def compile_spec(
    spec: Annotated[
        str,
        typer.Argument(metavar="SPEC|NAME", help="A YAML file, or the name of a zoo spec.", autocompletion=spec_words),
    ],
    assignments: Annotated[
        list[str], typer.Option("--set", metavar="K=V", help="Set a param of the spec.", autocompletion=param_words)
    ] = [],  # noqa: B006
    check: Annotated[bool, typer.Option("--check", help="Only check the spec.")] = False,
    tree: Annotated[bool, typer.Option("--tree", help="Show the tree also with -o or --graph.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    weights: Annotated[Path | None, typer.Option(metavar="CKPT", help="A checkpoint in any known layout.")] = None,
    output: Annotated[Path | None, typer.Option("-o", metavar="OUT.safetensors", help="Save the codec.")] = None,
    graph: Annotated[
        Path | None,
        typer.Option("--graph", metavar="OUT.svg|html", help="Draw the model; HTML with folding and search."),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**64 - 1, help="Seed of the initial weights, without --weights.")
    ] = 0,
) -> None:
    """Check a spec, show the codec that it describes, and build, draw or save that codec."""
    from codecspec.compiler.canonical import spec_hash
    from codecspec.compiler.lower import lower
    from codecspec.schema.load import load_spec

    _require_sense(spec, check, tree, as_json, weights, output, graph)
    plan = lower(load_spec(spec, **params_of(assignments)))
    report: dict[str, Any] = {"ok": True, **_summary(plan)}
    if weights is not None or output is not None:
        report |= _build(plan, weights, output, seed)
    if graph is not None:
        from codecspec.picture import write_picture

        write_picture(plan, graph)
        report["graph"] = str(graph)
    if as_json:
        print_json(report if check else {**report, **_details(plan)})
        return
    if tree or not (check or output or graph):
        from codecspec.cli.tree import print_tree

        print_tree(plan)
    else:
        print(f"{plan.spec.name}: ok, {plan.parameters:,} parameters, hash {spec_hash(plan.spec)[:12]}")
    for line in report.get("conversion", []):
        remark(f"  {line}")
    if output is not None:
        remark(f"saved {output} ({output.stat().st_size:,} bytes)")
    if graph is not None:
        remark(f"drew {graph} ({graph.stat().st_size:,} bytes)")


def _require_sense(
    spec: str,
    check: bool,
    tree: bool,
    as_json: bool,
    weights: Path | None,
    output: Path | None,
    graph: Path | None,
) -> None:
    """Refuse options of which one would be ignored, and an output that cannot be written."""
    if check and (weights is not None or output is not None):
        raise UsageError("E-usage", "--check", "it only checks the spec, and --weights and -o ask for a codec")
    if check and graph is not None:
        raise UsageError("E-usage", "--check", "it only checks the spec, and --graph asks for a picture")
    if tree and (check or as_json):
        raise UsageError("E-usage", "--tree", "--check shows no tree" if check else "--json has it all")
    if output is not None:
        require_output(output, spec, weights, graph)
        require_codec_file(output)
    if graph is not None:
        from codecspec.picture import require_ending

        require_ending(graph)
        require_output(graph, spec, weights, output)


def _summary(plan: Plan) -> dict[str, Any]:
    from codecspec.compiler.canonical import spec_hash

    return {
        "name": plan.spec.name,
        "hash": spec_hash(plan.spec),
        "params": dict(plan.spec.params),
        "parameters": plan.parameters,
        "tensors": len(plan.manifest()),
        "stride": plan.stride,
        "parameters_by_part": {part: int(count) for part, count in plan.parameters_by_part().items()},
        "macs_per_pixel_by_part": {part: float(macs) for part, macs in plan.macs_by_part().items()},
    }


def _details(plan: Plan) -> dict[str, Any]:
    from codecspec.compiler.canonical import canonical_dict

    return {
        "spec": canonical_dict(plan.spec),
        "nodes": [
            {
                "path": node.path,
                "kind": node.kind,
                "channels": [node.c_in, node.c_out],
                "scale": [str(node.scale_in), str(node.scale_out)],
                "parameters": node.parameters,
                "macs_per_pixel": float(node.total_macs),
            }
            for node in plan.walk()
        ],
        "manifest": {
            key: {"shape": list(tensor.shape), "dtype": tensor.dtype, "role": tensor.role}
            for key, tensor in plan.manifest().items()
        },
    }


def _build(plan: Plan, weights: Path | None, output: Path | None, seed: int) -> dict[str, Any]:
    """Build with the weights of a checkpoint or with initial ones; save where asked."""
    import torch

    from codecspec.compiler.build import build
    from codecspec.compiler.checkpoints import read_tensors
    from codecspec.compiler.saved_model import save, with_weights

    report: dict[str, Any] = {}
    if weights is not None:
        codec, conversion = with_weights(plan, read_tensors(weights))
        report["layout"] = conversion.layout
        report["conversion"] = [f"{weights}: layout {conversion.layout}", *conversion.report]
    else:
        note(f"no --weights: the codec gets its initial, untrained weights (seed {seed})")
        torch.manual_seed(seed)
        codec = build(plan)
    if output is not None:
        save(codec, output)
        report["saved"] = str(output)
    return report


app = new_app()
add_command(app, compile_spec, EXAMPLES)


def main() -> None:
    """Entry point of `compile-spec`."""
    run(app)
