"""Nothing is fixed to the published sizes: other params compile, code and decode too."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from codecspec import compile_spec, load_spec, lower
from tests.golden.golden_models import fill
from tests.runtime.small_codecs import images

VARIANTS: list[tuple[str, dict[str, Any], float]] = [
    ("tcm", {"N": 32, "depths": [1, 2, 1, 2, 1, 1], "slices": 10, "M": 40}, 0.8),
    ("tcm", {"N": 32, "depths": [3, 0, 1, 1, 0, 2], "head_dims": [4, 8, 16, 32, 2, 1], "M": 24, "slices": 2}, 0.8),
    ("stf", {"embed": 8, "depths": [2, 1, 1, 1], "heads": [2, 2, 4, 4], "window": 8, "slices": 2}, 1.0),
    (
        "stf",
        {
            "embed": 8,
            "depths": [1, 1, 1, 1],
            "heads": [1, 1, 1, 1],
            "window": 3,
            "patch": 4,
            "mlp_ratio": 2,
            "slices": 4,
        },
        1.0,
    ),
    ("cca", {"widths": [8, 12], "M": 24, "Z": 6, "proportions": [3], "naf_width": 9, "naf_depth": 2, "nafs": 0}, 1.0),
    ("cca", {"widths": [9, 8, 7, 10], "M": 20, "bottlenecks": 0, "nafs": 1, "proportions": [1.5, 2, 5]}, 0.9),
    ("cca-aux", {"widths": [8], "M": 10, "nafs": 1, "bottlenecks": 2, "proportions": [1, 4], "naf_width": 8}, 1.0),
    ("wacnn", {"N": 32, "M": 24, "slices": 1, "max_support": 0}, 1.0),
    ("wacnn", {"N": 16, "M": 48, "slices": 6, "max_support": 9}, 1.0),
]


@pytest.mark.parametrize(("name", "params", "gain"), VARIANTS, ids=lambda value: str(value)[:60])
def test_variants_round_trip(name: str, params: dict[str, Any], gain: float) -> None:
    codec = fill(compile_spec(name, **params), gain)
    x = images(1, 100, 76)
    with torch.no_grad():
        x_hat = codec(x)["x_hat"]
    assert x_hat.isfinite().all()
    assert torch.equal(codec.decompress(**codec.compress(x))["x_hat"], x_hat.clamp(0, 1))


def test_published_counts() -> None:
    """Tensors of the canonical layout: the authors' count, less derived buffers, and a conditional for each slice."""
    counts = {"wacnn": 585 - 4 + 9 * 7, "stf": 779 - 24 + 11 * 7, "tcm": 1293 + 4 * 7, "cca-aux": 2316 + 8 * 7}
    for name, count in counts.items():
        assert len(lower(load_spec(name)).manifest()) == count
