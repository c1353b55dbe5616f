"""What `--metric` means."""

from __future__ import annotations

from codecspec.runtime.results import METRICS, Metric
from codecspec.schema.errors import UsageError, listed, nearest, shown


def metric_of(text: str) -> Metric:
    """The metric of that name.

    Raises:
        UsageError: there is none.
    """
    for metric in METRICS:
        if text == metric:
            return metric
    message = f"{shown(text)} is no metric; allowed: {listed(METRICS)}"
    raise UsageError("E-usage", "--metric", message, nearest(text, METRICS))
