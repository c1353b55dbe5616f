"""`codecspec doctor`: what is wrong with a checkpoint."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codecspec.cli.exits import ExitCode
from codecspec.cli.infer_spec import summary
from codecspec.cli.outputs import require_codec_file, require_output
from codecspec.cli.say import print_json, remark
from codecspec.cli.state_dict_key import StateDictKey

if TYPE_CHECKING:
    from codecspec.diagnosis.diagnose import Diagnosis


def doctor(
    checkpoint: Annotated[str, typer.Argument(metavar="CKPT", help="A checkpoint in any known layout.")],
    images: Annotated[
        list[str] | None, typer.Argument(metavar="IMAGES", help="Images or folders. Default: a synthetic image.")
    ] = None,
    repair: Annotated[
        Path | None, typer.Option(metavar="OUT.safetensors", help="Write the model with new coding tables.")
    ] = None,
    key: StateDictKey = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with every tensor in question.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print only what is wrong.")] = False,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Print more: every variant that was tried, time and versions.")
    ] = False,
) -> None:
    """Diagnose a checkpoint; exit 1 if something is wrong.

    It checks layout and family, broken or untrained tensors, coding tables and quantiles. Then it codes images,
    compares latents with their entropy models, and tries other ranges of images and every spec with the same tensors,
    since weights cannot tell those apart.
    """
    from codecspec.diagnosis.diagnose import diagnose

    if repair is not None:
        require_output(repair, checkpoint, *(images or ()))
        require_codec_file(repair)
    found = diagnose(checkpoint, images or (), key=key, repair=repair)
    if as_json:
        print_json(_content(found))
    else:
        for line in _lines(found, quiet=quiet, verbose=verbose):
            print(line)
        if repair is not None:
            wrote = f"wrote {repair}: the model with new coding tables"
            remark(wrote if found.repaired else f"{repair} is not written: no spec has exactly these tensors")
    if found.wrong:
        raise typer.Exit(ExitCode.FOUND)


def _lines(found: Diagnosis, *, quiet: bool, verbose: bool) -> list[str]:
    from codecspec.compiler.checkpoints import printable

    lines = []
    if found.inference is not None and not quiet:
        lines += summary(printable(found.checkpoint), found.inference)
    for each in found.findings:
        if quiet and each.verdict != "wrong":
            continue
        lines.append(f"{each.verdict:6} {each.about:10} {each.message}")
        lines += [f"{'':17} hint: {each.hint}"] if each.hint else []
    if verbose:
        lines += [
            f"{'':17} {each.bpp:8.4f} bits per pixel, {each.psnr_rgb:6.2f} dB: {change or 'as the spec says'}"
            for change, each in found.trials.items()
        ]
    count = len(found.wrong)
    return [*lines, f"{count} {'thing is' if count == 1 else 'things are'} wrong" if count else "nothing is wrong"]


def _content(found: Diagnosis) -> dict[str, Any]:
    from codecspec.runtime.evaluation.reports import measured_content

    inference = found.inference
    return {
        "checkpoint": found.checkpoint,
        "family": inference.family if inference else None,
        "layout": inference.layout if inference else None,
        "params": {name: list(v) if isinstance(v, tuple) else v for name, v in inference.params.items()}
        if inference
        else {},
        "ok": not found.wrong,
        "repaired": found.repaired,
        "findings": [asdict(each) for each in found.findings],
        "images": {name: measured_content(each) for name, each in found.measured.items()},
        "trials": [{"change": change, **asdict(each)} for change, each in found.trials.items()],
    }
