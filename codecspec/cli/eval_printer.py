"""What `codecspec eval` prints: images as they come, then what came of all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codecspec.cli.eval_table import EvalTable
from codecspec.schema.errors import escaped

if TYPE_CHECKING:
    from codecspec.runtime.evaluation.evaluation import Evaluation, Failure, ModelEvaluation, Row


class EvalPrinter:
    """Prints results as they come.

    Args:
        table: how.
        starting_s: seconds from the start of the process to that of the evaluation; None where that is not known.
        silent: nothing is printed of single images.
    """

    def __init__(self, table: EvalTable, starting_s: float | None, *, silent: bool) -> None:
        self._table = table
        self._starting_s = starting_s
        self._silent = silent
        self._model = ""

    def image(self, outcome: Row | Failure) -> None:
        """A line for an image, under a heading for its model."""
        from codecspec.runtime.evaluation.evaluation import Failure

        if self._silent or not outcome.image:
            return
        if outcome.model != self._model:
            self._model = outcome.model
            print(f"{escaped(outcome.model)}\n{self._table.head()}")
        if isinstance(outcome, Failure):
            print(self._table.failure(outcome.image), flush=True)
        else:
            each = outcome.measured
            print(self._table.row(outcome.image, f"{each.width}x{each.height}", each), flush=True)

    def summary(self, found: Evaluation) -> None:
        """The averages of every model, the gaps with their causes, and where the time went."""
        for line in (line for model in found.models for line in self._averages(model)):
            print(line)
        for line in self._common_averages(found):
            print(line)
        if self._table.left_out and found.rows:
            print(f"this terminal is too narrow for: {', '.join(self._table.left_out)}; --csv has all figures")
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

    def _averages(self, model: ModelEvaluation) -> list[str]:
        found = model.averages
        head = f"{escaped(model.name)}: {model.spec}, {model.parameters:,} parameters, digest {model.digest[:12]}"
        if found is None:
            return [head, "  nothing could be measured"]
        row = self._table.row(f"mean of {found.images}", "", found)
        lines = [head, self._table.head(), row, self._table.all_bits(found)]
        if found.ms_ssim_images < found.images:
            few = found.images - found.ms_ssim_images
            lines.append(f"  {few} of {found.images} images have no MS-SSIM: a side is under 161 pixels")
        return lines

    def _common_averages(self, found: Evaluation) -> list[str]:
        """What can be compared where models failed on different images."""
        if not found.differ_in_images:
            return []
        models = [model for model in found.models if model.rows]
        counts = ", ".join(f"{escaped(model.name)} {len(model.rows)}" for model in models)
        said = f"these averages are over different images ({counts})"
        common = found.common_images
        if not common:
            return [f"{said}, and no image is common to all"]
        of_common = [(model.name, model.averages_over(common)) for model in models]
        rows = [self._table.row(name, "", each) for name, each in of_common if each is not None]
        return [f"{said}; over the {len(common)} that all have:", self._table.head("model"), *rows]


def _gaps(found: Evaluation) -> list[str]:
    """Of each model the image with the largest gap, where that is worth a word, and its cause."""
    from codecspec.runtime.evaluation.measurement import is_large

    lines = []
    for model in found.models:
        flagged = [row for row in model.rows if is_large(row.measured.gap)]
        if flagged:
            worst = max(flagged, key=lambda row: abs(row.measured.gap or 0))
            lines.append(
                f"{escaped(model.name)}: {len(flagged)} of {len(model.rows)} files differ by over 1% from estimates"
            )
            lines.append(f"  the most {escaped(worst.image)}: {worst.measured.cause}")
    return lines
