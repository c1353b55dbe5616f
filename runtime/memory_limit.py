"""Coding within a bounded memory: what is held besides the transforms, and what is left for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from codecspec.runtime.padding import padded_size
from codecspec.runtime.tile_plan import Block, least_room, plan_runs
from codecspec.runtime.tiling import run_in_pieces
from codecspec.schema.byte_sizes import said
from codecspec.schema.errors import BuildError

if TYPE_CHECKING:
    from codecspec.runtime.codec import Codec
    from codecspec.runtime.layers.transform import Transform

PROCESS = 1100 * 10**6
"""Bytes of a process that has PyTorch and the coders loaded, and has coded a small image."""
IMAGES = 4
"""Copies of an image that are there beside what a transform holds: as read, as a tensor, padded, decoded."""
LATENTS = 4
"""Copies of y, likewise: y, y_hat, what predicts it, its symbols."""


@dataclass(frozen=True, slots=True)
class MemoryNeeds:
    """What a codec's plan says of memory.

    Args:
        g_a: its blocks.
        g_s: its blocks.
        latents: numbers held at once at most between the transforms, per pixel.
    """

    g_a: tuple[Block, ...]
    g_s: tuple[Block, ...]
    latents: float


class MemoryLimit:
    """The transforms of a codec in pieces, so that its process stays below a limit.

    What is held is estimated from the plan, so that the pieces depend on nothing but the model, the image's size and
    the limit.

    Args:
        codec: whose transforms.
        max_bytes: of the process.
    """

    def __init__(self, codec: Codec, max_bytes: int) -> None:
        first = next(codec.parameters())
        self.max_bytes = max_bytes
        self.needs = codec.memory_needs
        self.stride = codec.stride
        self.y_stride = codec.y_stride
        self.number_bytes = first.element_size()
        self.weight_bytes = sum(weight.numel() * weight.element_size() for weight in codec.parameters())
        self.held_per_pixel = IMAGES * codec.spec.in_channels + LATENTS * codec.y_channels / codec.y_stride**2

    def require(self, images: int, height: int, width: int) -> None:
        """Refuse images, of these sides in pixels, that cannot be coded, before anything is run.

        Raises:
            BuildError: the limit is too low for them.
        """
        tall, wide = padded_size(height, width, self.stride)
        room = self._room(images, tall * wide)
        latents = self.needs.latents * tall * wide
        transforms = [
            (self.needs.g_a, tall, wide),
            (self.needs.g_s, tall // self.y_stride, wide // self.y_stride),
        ]
        if latents <= room and all(plan_runs(*transform, room) for transform in transforms):
            return
        numbers = max(latents, *(least_room(*transform) for transform in transforms))
        least = self._besides(images, tall * wide) + images * numbers * self.number_bytes
        what = f"{images} images of {width}x{height}" if images > 1 else f"{width}x{height}"
        message = f"coding {what} with this model takes {said(least)}, and {said(self.max_bytes)} are allowed"
        raise BuildError("E-memory", "max_memory", message, "allow as much, or code the image in parts")

    def g_a(self, transform: Transform, x: Tensor, memory_format: torch.memory_format) -> Tensor:
        """Padded images -> y, in pieces."""
        pixels = x.shape[-2] * x.shape[-1]
        return self._run(transform, self.needs.g_a, x, pixels, memory_format)

    def g_s(self, transform: Transform, y_hat: Tensor, memory_format: torch.memory_format) -> Tensor:
        """y_hat -> padded images, in pieces."""
        pixels = y_hat.shape[-2] * y_hat.shape[-1] * self.y_stride**2
        return self._run(transform, self.needs.g_s, y_hat, pixels, memory_format)

    def _run(
        self,
        transform: Transform,
        blocks: tuple[Block, ...],
        x: Tensor,
        pixels: int,
        memory_format: torch.memory_format,
    ) -> Tensor:
        room = self._room(len(x), pixels)
        runs = plan_runs(blocks, x.shape[-2], x.shape[-1], room)
        if runs is None:
            raise BuildError("E-memory", "max_memory", f"{said(self.max_bytes)} are too little", "allow more")
        return run_in_pieces(transform, blocks, runs, x, memory_format)

    def _besides(self, images: int, pixels: int) -> float:
        """Bytes of all that is no map of a network."""
        return PROCESS + self.weight_bytes + images * pixels * self.held_per_pixel * self.number_bytes

    def _room(self, images: int, pixels: int) -> float:
        """Numbers that networks may hold at once, per image."""
        return (self.max_bytes - self._besides(images, pixels)) / (images * self.number_bytes)
