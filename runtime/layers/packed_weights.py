"""Weights as kernels multiply by them, and what kernels are told."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from codecspec.runtime.openmp import run_on_all_threads

PANEL = 16
"""Outputs whose weights lie beside each other: as many as a vector has at most."""


def packed(weight: Tensor, *, paired: bool = False, scaled: int = 0, scale: float = 1.0) -> Tensor:
    """A weight as tiles of the product read it.

    Args:
        weight: (outputs, inputs), both multiples of PANEL.
        paired: the outputs are in two halves, which a gate multiplies: a vector of the first half comes first, then one
            of the second, and so on.
        scaled: as many outputs, the first, are to be `scale` times as large.
        scale: see there.

    Returns:
        For every PANEL outputs, for every input, the PANEL: (outputs / PANEL, inputs, PANEL).
    """
    from codecspec.runtime.layers import linear_kernels as kernels

    weight = weight.detach().contiguous()
    outputs, inputs = weight.shape
    made = weight.new_empty(outputs // PANEL, inputs, PANEL)
    given = job(
        kernels.PACK,
        weight=weight.data_ptr(),
        packed=made.data_ptr(),
        outputs=outputs,
        inputs=inputs,
        parts=2 if paired else 1,
        scaled=scaled,
        scale=scale,
    )
    run_on_all_threads(kernels.pack.address, given)
    return made


def job(layout: np.dtype[Any], **fields: float) -> NDArray[np.int64]:
    """What a kernel is told, by a record's layout, as integers; zero where nothing is said."""
    given = fields.get
    return np.array(tuple([given(name, 0) for name in layout.names or ()]), layout).reshape(1).view(np.int64)
