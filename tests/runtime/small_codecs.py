"""Small codecs with latents worth coding, for the tests of the runtime."""

from __future__ import annotations

from typing import Any

import torch

from codecspec import compile_spec
from codecspec.runtime.codec import Codec
from codecspec.runtime.padding import pad_to_multiple
from tests.golden.golden_models import fill

CCA = {"widths": [12, 16, 20], "M": 40, "Z": 8, "bottlenecks": 1, "nafs": 1, "naf_width": 16, "naf_depth": 1}

SMALL: dict[str, dict[str, Any]] = {
    "bmshj2018-factorized": {"N": 12, "M": 18},
    "bmshj2018-factorized-relu": {"N": 12, "M": 18},
    "bmshj2018-hyperprior": {"N": 12, "M": 18},
    "cheng2020-anchor": {"N": 16},
    "cheng2020-attn": {"N": 12},
    "cca": CCA,
    "cca-aux": CCA,
    "elic": {"N": 12, "M": 24, "groups": [3, 5, 4, 12]},
    "elic-chandelier": {"N": 12, "M": 24, "groups": [3, 5, 4, 12]},
    "mbt2018": {"N": 12, "M": 18},
    "mbt2018-mean": {"N": 12, "M": 18},
    "stf": {"embed": 8, "depths": [1, 2, 1, 2], "heads": [1, 2, 4, 8], "slices": 4, "max_support": 2},
    "tcm": {"N": 32, "M": 40, "depths": [2, 1, 2, 1, 2, 1], "max_support": 3},
    "wacnn": {"N": 16, "M": 40, "slices": 5, "max_support": 3},
}
"""Params that make each zoo spec small."""


GAIN = {
    "bmshj2018-factorized": 1.6,
    "bmshj2018-factorized-relu": 2.6,
    "bmshj2018-hyperprior": 1.6,
    "cheng2020-anchor": 1.02,
    "cheng2020-attn": 0.9,
    "cca": 1.05,
    "cca-aux": 1.05,
    "elic": 1.0,
    "elic-chandelier": 1.0,
    "mbt2018": 1.6,
    "mbt2018-mean": 1.6,
    "stf": 0.9,
    "tcm": 0.8,
    "wacnn": 1.2,
}
"""Gains of the weight formula that give many symbols and a picture that does not saturate."""


def small(name: str) -> Codec:
    """A zoo spec at small params with formula weights, in eval mode."""
    codec = compile_spec(name, **SMALL[name])
    fill(codec, GAIN[name])
    return codec


def images(batch: int, height: int, width: int, seed: int = 0) -> torch.Tensor:
    """(batch, 3, height, width) uniform in [0, 1]."""
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(seed))


def decoded_of(codec: Codec, x: torch.Tensor) -> torch.Tensor:
    """What must be decoded of x: what `forward` says, or, where y is coded position by position, what the y_hat that
    `compress` returns gives (its `forward` rounds y, as CompressAI's does, and its coder rounds y - mean)."""
    with torch.no_grad():
        if codec.spec.latent_codec.y.type != "raster_scan":
            return codec(x)["x_hat"].clamp(0, 1)
        codec.prepare_tables()
        out = codec.latent_codec.compress(codec.g_a(pad_to_multiple(x, codec.stride)))
        return codec.g_s(out["y_hat"])[..., : x.shape[-2], : x.shape[-1]].clamp(0, 1)
