"""`codecspec eval`: models on a folder of images."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from codecspec.cli.completion import model_words
from codecspec.cli.eval_printer import EvalPrinter
from codecspec.cli.eval_table import EvalTable, terminal_width
from codecspec.cli.exits import ExitCode
from codecspec.cli.max_memory import MaxMemory, memory_allowed
from codecspec.cli.outputs import require_output
from codecspec.cli.progress import progress_bar
from codecspec.cli.say import note, print_json, remark
from codecspec.cli.started import seconds_since_start
from codecspec.schema.errors import UsageError, escaped
from codecspec.schema.whole_file import make_folder, whole_file

if TYPE_CHECKING:
    from codecspec.runtime.evaluation.evaluation import Evaluation, Failure, Row


def eval_models(
    given: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL... DIR",
            help="Models or checkpoints, then a folder of images or one image.",
            autocompletion=model_words,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", metavar="FOLDER", help="Write images.csv, evaluation.json and curves there; resume."),
    ] = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Code nothing: estimate rates from likelihoods.")
    ] = False,
    luma: Annotated[bool, typer.Option("--y", help="Print PSNR of Y (BT.709) instead of RGB.")] = False,
    profile: Annotated[Literal["portable", "exact"] | None, typer.Option(help="As in `compress`.")] = None,
    coder: Annotated[Literal["codecspec", "compressai"], typer.Option(help="As in `compress`.")] = "codecspec",
    device: Annotated[str, typer.Option(help="Device for the models: cpu, cuda, cuda:1, ..")] = "cpu",
    max_memory: MaxMemory = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a row of CSV for each model and image.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print only averages and errors.")] = False,
) -> None:
    """Measure rate, distortion, time and memory of models on images.

    Every image is coded into a file and decoded from it. With -o, FOLDER gets images.csv, evaluation.json and, for each
    spec, a curve-NAME.json with a point for each model, which `codecspec plot`, `codecspec bd` and CompressAI's tools
    read; the same command resumes an interrupted run.
    """
    from codecspec.evaluation import evaluate_files, image_files
    from codecspec.runtime.evaluation.evaluation import Settings
    from codecspec.runtime.evaluation.reports import as_content
    from codecspec.runtime.evaluation.reports import as_csv as csv_of
    from codecspec.schema.spec_files import ENDINGS as SPECS
    from codecspec.schema.spec_files import WEIGHTS

    *models, images = given
    if not models or (Path(images).suffix in (*SPECS, *WEIGHTS) and not Path(images).is_dir()):
        raise UsageError("E-usage", images, "models come first, then the images", "codecspec eval MODEL... DIR")
    if as_csv and as_json:
        raise UsageError("E-usage", "--csv", "--json prints something else", "with -o both are written")
    _require_device(device)
    settings = Settings(estimate, profile, coder, memory_allowed(max_memory))
    files = image_files(images)
    if output is not None:
        _make_folder(output)
    table = EvalTable((name for name, _ in files), luma=luma, width=terminal_width())
    printer = EvalPrinter(table, seconds_since_start(), silent=quiet or as_csv or as_json)
    with progress_bar(len(models) * len(files), "evaluating") as advance:

        def watch(outcome: Row | Failure) -> None:
            advance(1 if outcome.image else len(files))
            printer.image(outcome)

        try:
            found = evaluate_files(models, files, settings, device=device, folder=output, watch=watch)
        except KeyboardInterrupt:
            if output is not None and _holds_anything(output):
                note(f"what was measured is kept in {output}; the same command resumes from there")
            raise
    if output is not None:
        _write(found, output)
    if as_json:
        print_json(as_content(found))
    elif as_csv:
        print(csv_of(found), end="")
    else:
        printer.summary(found)
        if output is not None:
            remark(f"wrote {output}: {', '.join(_names(found))}")
    if found.failures:
        _report(found)
        raise typer.Exit(ExitCode.WRONG)


def _report(found: Evaluation) -> None:
    """Every failure, on stderr."""
    for failure in found.failures:
        where = f"{failure.model}: {failure.image}" if failure.image else failure.model
        print(f"{escaped(where)}: {failure.message}", file=sys.stderr)
    print(f"{len(found.failures)} failed", file=sys.stderr)


def _write(found: Evaluation, folder: Path) -> None:
    """All reports, each complete or not at all."""
    import json

    from codecspec.runtime.evaluation.reports import as_content, as_csv, as_results

    with whole_file(folder / "images.csv") as partial:
        partial.write_text(as_csv(found), encoding="utf-8", errors="backslashreplace")
    with whole_file(folder / "evaluation.json") as partial:
        partial.write_text(json.dumps(as_content(found), indent=2) + "\n", encoding="utf-8")
    for results in as_results(found):
        results.write(folder / f"curve-{results.name}.json")


def _names(found: Evaluation) -> list[str]:
    from codecspec.runtime.evaluation.reports import as_results

    return ["images.csv", "evaluation.json", *(f"curve-{results.name}.json" for results in as_results(found))]


def _holds_anything(folder: Path) -> bool:
    """Whether results are kept there: an interrupt before the first of them can leave a file without a line."""
    return any(path.stat().st_size for path in folder.iterdir())


def _make_folder(output: Path) -> None:
    if output.is_dir():
        require_output(output / "images.csv")
    elif output.exists():
        raise UsageError("E-output", str(output), "it is a file, and results are several", "name a folder")
    else:
        require_output(output)
        make_folder(output)


def _require_device(device: str) -> None:
    """Refuse a device that torch has not, before models are opened."""
    import torch

    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
        raise UsageError("E-usage", "--device", f"{device}: {str(error).splitlines()[0][:100]}") from error
