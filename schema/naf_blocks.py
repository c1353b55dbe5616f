"""Nonlinear-activation-free blocks, as CCA has them: what a spec may say of each."""

from __future__ import annotations

from typing import Literal

from codecspec.schema.fields import SpecModel


class NAFSpec(SpecModel):
    """A convolution half with channel attention, then a feed-forward half; gates instead of activations (Chen, Chu,
    Zhang, Sun, NAFNet, ECCV 2022)."""

    type: Literal["naf"]
