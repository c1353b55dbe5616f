"""`codecspec eval`: models on a folder of images."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from codecspec.cli.completion import model_words
from codecspec.cli.exits import ExitCode
from codecspec.cli.max_memory import MaxMemory, memory_allowed
from codecspec.cli.outputs import require_output
from codecspec.cli.progress import progress_bar
from codecspec.cli.say import note, print_json, remark
from codecspec.cli.started import seconds_since_start
from codecspec.schema.errors import UsageError
from codecspec.schema.whole_file import whole_file

if TYPE_CHECKING:
    from codecspec.runtime.evaluation.evaluation import Evaluation, Failure, ModelEvaluation, Row

_HEAD = (
    f"  {'image':28}{'size':>10}{'bpp':>9}{'by likelihoods':>16}{'gap':>8}{'PSNR':>8}{'MS-SSIM':>9}{'(dB)':>8}"
    f"{'encode':>10}{'decode':>10}{'memory':>11}"
)


def eval_models(
    given: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL... DIR",
            help="Models or checkpoints; then images: a folder or a file.",
            autocompletion=model_words,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", metavar="FOLDER", help="For images.csv, evaluation.json, curves; goes on where it stopped."),
    ] = None,
    estimate: Annotated[bool, typer.Option("--estimate", help="Code nothing: rates by the likelihoods.")] = False,
    luma: Annotated[bool, typer.Option("--y", help="PSNR of Y (BT.709) instead of RGB in what is printed.")] = False,
    profile: Annotated[Literal["portable", "exact"] | None, typer.Option(help="As of `compress`.")] = None,
    coder: Annotated[Literal["codecspec", "compressai"], typer.Option(help="As of `compress`.")] = "codecspec",
    device: Annotated[str, typer.Option(help="Where models run: cpu, cuda, cuda:1, ..")] = "cpu",
    max_memory: MaxMemory = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a row of CSV for each model and image.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but the averages and errors.")] = False,
) -> None:
    """Measure rate, distortion, time and memory of models on images.

    Every image is coded into a file, and that file decoded. With -o, a run that was interrupted goes on when it is
    started again, and FOLDER gets images.csv, evaluation.json and for each spec a curve-NAME.json, a point for each
    model, that `codecspec plot`, `codecspec bd` and CompressAI's tools read.
    """
    from codecspec.evaluation import evaluate, image_files
    from codecspec.runtime.evaluation.reports import as_content
    from codecspec.runtime.evaluation.reports import as_csv as csv_of

    *models, images = given
    if not models:
        raise UsageError("E-usage", images, "models come first, then the images", "codecspec eval MODEL... DIR")
    if as_csv and as_json:
        raise UsageError("E-usage", "--csv", "--json prints something else", "with -o both are written")
    _require_device(device)
    allowed = memory_allowed(max_memory)
    num_images = len(image_files(images))
    if output is not None:
        _make_folder(output)
    printer = _Printer(luma, seconds_since_start(), silent=quiet or as_csv or as_json)
    with progress_bar(len(models) * num_images, "evaluating") as advance:

        def watch(outcome: Row | Failure) -> None:
            advance(1 if outcome.image else num_images)
            printer.image(outcome)

        try:
            found = evaluate(
                models,
                images,
                estimate=estimate,
                profile=profile,
                coder=coder,
                device=device,
                max_memory=allowed,
                folder=output,
                watch=watch,
            )
        except KeyboardInterrupt:
            if output is not None:
                note(f"what was measured is kept in {output}; the same command goes on from there")
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


class _Printer:
    """Prints results as they come.

    Args:
        luma: PSNR is that of Y.
        starting_s: seconds from the start of the process to that of the evaluation; None where that is not known.
        silent: nothing is printed of single images.
    """

    def __init__(self, luma: bool, starting_s: float | None, *, silent: bool) -> None:
        self._luma = luma
        self._starting_s = starting_s
        self._silent = silent
        self._model = ""

    def image(self, outcome: Row | Failure) -> None:
        """A line for an image, under a heading for its model."""
        if self._silent or not outcome.image:
            return
        if outcome.model != self._model:
            self._model = outcome.model
            print(f"{outcome.model}\n{self._head()}")
        print(self._line(outcome), flush=True)

    def summary(self, found: Evaluation) -> None:
        """The averages of every model, the gaps with their causes, and where the time went."""
        for model in found.models:
            for line in self._averages(model):
                print(line)
        for line in _gaps(found):
            print(line)
        resumed = sum(row.resumed for row in found.rows)
        if resumed:
            print(f"{resumed} of {len(found.rows)} results are from earlier runs")
        elif found.coding_s:
            print(self._times(found))

    def _times(self, found: Evaluation) -> str:
        """How much of the evaluation was coding, what the rest of it went to, and what came before."""
        measuring_s = found.wall_s - found.coding_s - found.opening_s - found.warming_s
        parts = {
            "opening models": found.opening_s,
            "warming up": found.warming_s,
            "reading images and measuring": measuring_s,
        }
        rest = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in parts.items())
        before = "" if self._starting_s is None else f"; starting took {self._starting_s:.1f} s before that"
        return f"coding took {found.coding_s / found.wall_s:.1%} of {found.wall_s:.1f} s; {rest}{before}"

    def _head(self) -> str:
        return _HEAD.replace("  PSNR", "PSNR-Y") if self._luma else _HEAD

    def _line(self, outcome: Row | Failure) -> str:
        from codecspec.runtime.evaluation.evaluation import Failure

        if isinstance(outcome, Failure):
            return f"  {outcome.image:28} failed"
        each = outcome.measured
        return _row(
            outcome.image,
            f"{each.width}x{each.height}",
            (each.bpp, each.bpp_estimated, each.gap),
            each.psnr_y if self._luma else each.psnr_rgb,
            (each.ms_ssim, each.ms_ssim_db),
            (each.encode_s, each.decode_s),
            each.peak_bytes,
        )

    def _averages(self, model: ModelEvaluation) -> list[str]:
        found = model.averages
        head = f"{model.name}: {model.spec}, {model.parameters:,} parameters, digest {model.digest[:12]}"
        if found is None:
            return [head, "  nothing could be measured"]
        row = _row(
            f"mean of {found.images}",
            "",
            (found.bpp, found.bpp_estimated, found.gap),
            found.psnr_y if self._luma else found.psnr_rgb,
            (found.ms_ssim, found.ms_ssim_db),
            (found.encode_s, found.decode_s),
            found.peak_bytes,
        )
        of_all = f"  {'all bits by all pixels':28}{'':10}{_shown(found.aggregate_bpp, '9.4f')}"
        lines = [head, self._head(), row, f"{of_all}{found.aggregate_bpp_estimated:>16.4f}"]
        if found.ms_ssim_images < found.images:
            few = found.images - found.ms_ssim_images
            lines.append(f"  {few} of {found.images} images have no MS-SSIM: a side is under 161 pixels")
        return lines


def _row(
    name: str,
    size: str,
    rates: tuple[float | None, float, float | None],
    psnr: float,
    ms_ssim: tuple[float | None, float | None],
    seconds: tuple[float | None, float | None],
    peak: int,
) -> str:
    from codecspec.runtime.evaluation.measurement import is_large

    bpp, estimated, gap = rates
    flag = "!" if is_large(gap) else " "
    percent = f"{100 * gap:+.1f}%{flag}" if gap is not None else "- "
    return (
        f"  {name:28}{size:>10}{_shown(bpp, '9.4f')}{estimated:>16.4f}{percent:>9}{psnr:>7.2f}"
        f"{_shown(ms_ssim[0], '9.4f')}{_shown(ms_ssim[1], '8.2f')}"
        f"{_shown(seconds[0], '8.2f', ' s')}{_shown(seconds[1], '8.2f', ' s')}{peak / (1 << 20):>7,.0f} MiB"
    )


def _shown(value: float | None, form: str, unit: str = "") -> str:
    if value is None:
        return "-".rjust(int(form.split(".")[0]) + len(unit))
    return f"{value:{form}}{unit}"


def _gaps(found: Evaluation) -> list[str]:
    """Of each model the image with the largest gap, where that is worth a word, and its cause."""
    from codecspec.runtime.evaluation.measurement import is_large

    lines = []
    for model in found.models:
        flagged = [row for row in model.rows if is_large(row.measured.gap)]
        if flagged:
            worst = max(flagged, key=lambda row: abs(row.measured.gap or 0))
            lines.append(f"{model.name}: {len(flagged)} of {len(model.rows)} files differ by over 1% from likelihoods")
            lines.append(f"  the most {worst.image}: {worst.measured.cause}")
    return lines


def _report(found: Evaluation) -> None:
    """Every failure, on stderr."""
    for failure in found.failures:
        where = f"{failure.model}: {failure.image}" if failure.image else failure.model
        print(f"{where}: {failure.message}", file=sys.stderr)
    print(f"{len(found.failures)} failed", file=sys.stderr)


def _write(found: Evaluation, folder: Path) -> None:
    """All reports, each complete or not at all."""
    import json

    from codecspec.runtime.evaluation.reports import as_content, as_csv, as_results

    with whole_file(folder / "images.csv") as partial:
        partial.write_text(as_csv(found), encoding="utf-8")
    with whole_file(folder / "evaluation.json") as partial:
        partial.write_text(json.dumps(as_content(found), indent=2) + "\n", encoding="utf-8")
    for results in as_results(found):
        results.write(folder / f"curve-{results.name}.json")


def _names(found: Evaluation) -> list[str]:
    from codecspec.runtime.evaluation.reports import as_results

    return ["images.csv", "evaluation.json", *(f"curve-{results.name}.json" for results in as_results(found))]


def _make_folder(output: Path) -> None:
    if output.is_dir():
        require_output(output / "images.csv")
    elif output.exists():
        raise UsageError("E-output", str(output), "it is a file, and results are several", "name a folder")
    else:
        require_output(output)
        output.mkdir()


def _require_device(device: str) -> None:
    """Refuse a device that torch has not, before models are opened."""
    import torch

    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
        raise UsageError("E-usage", "--device", f"{device}: {str(error).splitlines()[0][:100]}") from error
