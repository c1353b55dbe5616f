"""The curves of several files of results, each under a name of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from codecspec.runtime.results import Curve, Metric, read_results
from codecspec.schema.errors import ResultsError, escaped

MetricOption = Annotated[Metric, typer.Option(help="The quality metric.")]


def named_curves(paths: Sequence[Path], metric: Metric) -> list[Curve]:
    """A curve of each file; the names of those that are called the same (two trainings of one spec) say the file, too.

    Raises:
        ResultsError: a file cannot be read, or has no such curve.
    """
    curves = [_curve(path, metric) for path in paths]
    called = Counter(curve.name for curve in curves)
    return [
        replace(curve, name=f"{curve.name}, {escaped(str(path))}") if called[curve.name] > 1 else curve
        for path, curve in zip(paths, curves, strict=True)
    ]


def _curve(path: Path, metric: Metric) -> Curve:
    results = read_results(path)
    try:
        return results.curve(metric)
    except ResultsError as error:  # it knows a name, and who looks for it has files
        raise ResultsError(error.code, str(path), error.message, error.hint) from error
