"""Widths on a line between two numbers of channels: the ramp of CompressAI's `sequential_channel_ramp`.

CompressAI asks `torch.linspace` in float32 and rounds down, so where the line passes an integer the last bit decides.
The same is computed here step by step, without torch; tests compare the two.
"""

from __future__ import annotations

import math
import struct


def ramp_widths(c_in: int, c_out: int, layers: int) -> tuple[int, ...]:
    """The widths between `layers` layers from `c_in` to `c_out` channels: `layers - 1` of them."""
    step = _float32((c_out - c_in) / layers)
    half = (layers + 1) // 2
    return tuple(
        math.floor(_float32(c_in + _float32(step * i) if i < half else c_out - _float32(step * (layers - i))))
        for i in range(1, layers)
    )


def _float32(value: float) -> float:
    """The nearest float32."""
    nearest: float = struct.unpack("<f", struct.pack("<f", value))[0]
    return nearest
