"""A picture by formula that has the statistics of photographs, for where there is none at hand."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

SMALLEST, LARGEST = 3.0, 90.0


def dead_leaves(height: int = 256, width: int = 384, seed: int = 0, leaves: int = 900) -> Tensor:
    """(1, 3, height, width) in [0, 1]: shaded, textured discs that hide one another, radii by a power law.

    The dead leaves model has what codecs are made for: edges at every scale, occlusion, smooth regions, and the power
    spectrum of photographs (Lee, Mumford, Huang, IJCV 2001). The same every time.

    Args:
        height: in pixels.
        width: in pixels.
        seed: another picture.
        leaves: how many discs.
    """
    random = np.random.default_rng(seed)
    yy, xx = np.mgrid[:height, :width].astype(np.float32)
    picture = np.zeros((3, height, width), np.float32) + random.random(3)[:, None, None]
    for _ in range(leaves):
        radius = (SMALLEST**-2 + random.random() * (LARGEST**-2 - SMALLEST**-2)) ** -0.5
        y, x = random.random() * height, random.random() * width
        inside = (yy - y) ** 2 + (xx - x) ** 2 < radius**2
        slope = random.normal(0, 0.15, 2) / radius
        shade = slope[0] * (yy[inside] - y) + slope[1] * (xx[inside] - x)
        grain = 0.04 * random.random() * random.standard_normal(shade.shape)
        grey = random.random()
        colour = grey + 0.35 * (random.random(3) - 0.5)
        picture[:, inside] = colour[:, None] + shade + grain
    return torch.from_numpy(np.clip(picture, 0, 1, dtype=np.float32))[None]
