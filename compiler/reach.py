"""How far a block sees: which positions of its input decide a part of its output.

Large images are coded in pieces (`codecspec.runtime.tiling`). A piece of a block's output is exact when the piece of
input that it was made of holds everything that it depends on, and begins where the whole map's strides and windows do.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reach:
    """What a block sees, along either axis, beside the input positions that lie under an output position.

    Args:
        before: positions further up and left.
        after: positions further down and right.
        window: it first attends in windows of this side, counted from the map's first position; 1 for none.
        shift: cyclic shift of these windows, in positions.
        pools: it also sees the mean of a map over all positions, at its input's resolution, by a
            `codecspec.runtime.layers.map_mean.MapMean`, once.
    """

    before: int = 0
    after: int = 0
    window: int = 1
    shift: int = 0
    pools: bool = False

    @classmethod
    def around(cls, positions: int) -> Reach:
        """As many positions on every side."""
        return cls(positions, positions)


POINTWISE = Reach()
"""Every position for itself."""
