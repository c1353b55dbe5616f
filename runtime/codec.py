"""A whole codec: image -> bits -> image, for images of any size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from codecspec.runtime.coding_tables import TableKeeper
from codecspec.runtime.compressai_classes import CompressionModel, LatentCodec
from codecspec.runtime.latent_codecs.coded_latent import CodedUnderParams
from codecspec.runtime.latent_codecs.symbols import LatentPart, Strings
from codecspec.runtime.layers.conv import give_ways
from codecspec.runtime.layers.two_ways import choose_way
from codecspec.runtime.loading import assign_tensors, loading_problems, resize_tables, table_problems
from codecspec.runtime.memory_limit import MemoryLimit, MemoryNeeds
from codecspec.runtime.padding import pad_to_multiple, padded_size
from codecspec.runtime.recomputed import recomputed
from codecspec.runtime.streams.container import MAX_SIDE, NUMERICS, Numerics
from codecspec.schema.byte_sizes import byte_size
from codecspec.schema.errors import BuildError, CheckpointError, StreamError, listed
from codecspec.schema.model import ModelSpec


class Codec(CompressionModel):
    """What a spec compiles to; a CompressAI `CompressionModel`, so its trainers and tools work on it.

              ┌───┐  y  ┌────────────┐ y_hat ┌───┐
        x ──► │g_a├──┬─►│latent_codec├──────►│g_s├──► x_hat
              └───┘  │  └─────┬──────┘       └───┘
                     │  ┌─────▼───────────┐
                     └─►│aux_entropy_model│            where the spec has `aux`; in `forward` alone
                        └─────────────────┘

    Images are padded to multiples of `stride` (their last row and column repeated) and cropped after; likelihoods are
    those of the padded image. Coding tables are made when they are needed: there is no `update()` to forget.

    Args:
        g_a: analysis transform.
        latent_codec: codec of y.
        g_s: synthesis transform.
        aux_entropy_model: (y, side parameters) -> likelihoods that only a training loss looks at; None for none.
        spec: the canonical spec that this was built from.
        spec_hash: its hash, 64 hexadecimal digits.
        stride: pixels that image sides are padded to multiples of.
        y_stride: pixels per position of y.
        y_channels: channels of y.
        memory_needs: what its plan says of memory, for `limited`.
        numerics: how its networks compute without gradients; see the property.
    """

    def __init__(
        self,
        g_a: nn.Module,
        latent_codec: LatentCodec,
        g_s: nn.Module,
        aux_entropy_model: nn.Module | None = None,
        *,
        spec: ModelSpec,
        spec_hash: str,
        stride: int,
        y_stride: int,
        y_channels: int,
        memory_needs: MemoryNeeds,
        numerics: Numerics,
    ) -> None:
        super().__init__()
        self.g_a = g_a
        self.latent_codec = latent_codec
        self.g_s = g_s
        self.aux_entropy_model = aux_entropy_model
        self.spec = spec
        self.spec_hash = spec_hash
        self.stride = stride
        self.y_stride = y_stride
        self.y_channels = y_channels
        self.memory_needs = memory_needs
        self._memory: MemoryLimit | None = None
        self._tables = TableKeeper()
        give_ways(self)
        self.numerics = numerics

    @property
    def numerics(self) -> Numerics:
        """How the networks compute in evaluation: `fast`, or `reference`, in the order of the published code (bit for
        bit that of CompressAI, for its models).

        The two differ in rounding errors, about 1e-6. Encoder and decoder must agree; a stream says which one it was.
        In training, and where gradients are asked for, both are `reference`.
        """
        return self._numerics

    @numerics.setter
    def numerics(self, numerics: Numerics) -> None:
        """Choose them for all layers."""
        if numerics not in NUMERICS:
            raise BuildError("E-input", "numerics", f"numerics are {listed(NUMERICS)}; found {numerics!r}")
        self._numerics: Numerics = numerics
        choose_way(self, fast=numerics == "fast")

    @contextmanager
    def computing(self, numerics: Numerics) -> Iterator[None]:
        """Compute with these numerics for a while."""
        before = self.numerics
        self.numerics = numerics
        try:
            yield
        finally:
            self.numerics = before

    @contextmanager
    def limited(self, max_memory: int | str | None) -> Iterator[None]:
        """Code within a bounded memory for a while: large images pass g_a and g_s in pieces that overlap.

        What they give is the same to rounding errors (about 1e-6), so that streams are those of any other limit and
        decode under any. Where gradients are recorded there are no pieces.

        Args:
            max_memory: of the whole process, in bytes or as `3GB`; None for no limit.

        Raises:
            UsageError: that is no amount of memory. (Inside, an image that cannot be coded within it raises
                BuildError.)
        """
        before = self._memory
        self._limit(before if max_memory is None else MemoryLimit(self, byte_size(max_memory)))
        try:
            yield
        finally:
            self._limit(before)

    def _limit(self, memory: MemoryLimit | None) -> None:
        self._memory = memory
        for name in ("g_a", "g_s"):
            transform = getattr(self, name)
            transform.pieces = None if memory is None else getattr(memory, name)

    def require_memory(self, images: int, height: int, width: int) -> None:
        """Refuse images that the limit in force is too low for, before anything is run.

        Args:
            images: how many at once.
            height: of each, in pixels.
            width: of each.

        Raises:
            BuildError: it is.
        """
        if self._memory is not None:
            self._memory.require(images, height, width)

    @property
    def downsampling_factor(self) -> int:
        """Pixels that image sides are padded to multiples of; CompressAI's name for `stride`."""
        return self.stride

    def forward(self, x: Tensor) -> dict[str, Any]:
        """Code x as far as gradients go.

        Args:
            x: (N, C, H, W) images in [0, 1].

        Returns:
            `x_hat` (N, C, H, W), not clamped; `likelihoods` {y, z} of the padded image's latents, in (0, 1]; with an
            auxiliary branch `aux_likelihoods` {y_aux, y_cca}.

        Raises:
            BuildError: x has another shape than that.
        """
        self.require_image(x)
        return recomputed(self._outputs, x, self) if self._has_other_values_with_a_graph(x) else self._outputs(x)

    def _outputs(self, x: Tensor) -> dict[str, Any]:
        y = self.g_a(pad_to_multiple(x, self.stride))
        out = self.latent_codec(y)
        x_hat = self.g_s(out["y_hat"])[..., : x.shape[-2], : x.shape[-1]].to(x.dtype)
        result = {"x_hat": x_hat, "likelihoods": out["likelihoods"]}
        if self.aux_entropy_model is not None:
            result["aux_likelihoods"] = self.aux_entropy_model(y, out["side_params"])
        return result

    def _has_other_values_with_a_graph(self, x: Tensor) -> bool:
        """Whether an evaluation with a graph would differ from coding, which is without: layers go fast then alone."""
        return (
            self.numerics == "fast"
            and torch.is_grad_enabled()
            and not torch.compiler.is_compiling()
            and not any(module.training for module in self.modules())
            and (x.requires_grad or any(p.requires_grad for p in self.parameters()))
        )

    @property
    def portable(self) -> bool:
        """Whether a stream can be decoded where scales are computed with other rounding errors than they were here."""
        return all(leaf.portable for leaf in self.latent_codec.modules() if isinstance(leaf, CodedUnderParams))

    def latent_size(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of y for an image of so many pixels."""
        tall, wide = padded_size(height, width, self.stride)
        return tall // self.y_stride, wide // self.y_stride

    def parts(self, height: int, width: int) -> list[LatentPart]:
        """The parts of the latent of an image of so many pixels, in coding order."""
        found: list[LatentPart] = self.latent_codec.parts(self.y_channels, self.latent_size(height, width))
        return found

    @torch.no_grad()
    def compress(self, x: Tensor) -> dict[str, Any]:
        """Code x.

        Args:
            x: (N, C, H, W) images in [0, 1].

        Returns:
            `strings`: for each part of the latent in coding order (slices of y, then z) one string per image;
            `shape`: (H, W) of the images in pixels.

        Raises:
            BuildError: x has another shape than that.
            StreamError: a latent is not finite.
        """
        self.require_image(x)
        self.prepare_tables()
        out = self.latent_codec.compress(self.g_a(pad_to_multiple(x, self.stride)))
        return {"strings": out["strings"], "shape": x.shape[-2:]}

    @torch.no_grad()
    def decompress(self, strings: Strings, shape: tuple[int, int]) -> dict[str, Any]:
        """Decode what `compress` gave.

        Args:
            strings: as `compress` gave them.
            shape: (H, W) of the images in pixels.

        Returns:
            `x_hat` (N, C, H, W), clamped to [0, 1].

        Raises:
            StreamError: there are no such images.
        """
        height, width = self._check_shape(strings, shape)
        self.require_memory(len(strings[0]), height, width)
        self.prepare_tables()
        latent_shape = self.latent_codec.latent_shape(*self.latent_size(height, width))
        y_hat = self.latent_codec.decompress(strings, latent_shape)["y_hat"]
        return {"x_hat": self.g_s(y_hat)[..., :height, :width].to(y_hat.dtype).clamp_(0, 1)}

    def prepare_tables(self) -> bool:
        """Make every coding table that is missing or was made of other weights; True if there was one.

        An auxiliary branch codes nothing, and gets none.
        """
        return self._tables.prepare(self.latent_codec)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """As `torch.nn.Module.load_state_dict`, but whole or not at all; coding tables may be of any length.

        Tables that come along are taken as they are, as part of the model.

        Raises:
            CheckpointError: tensors are missing, left over or of another shape, or coding tables cannot be used; every
                one is named, and nothing was loaded.
        """
        problems = loading_problems(self, state_dict, strict=strict)
        if problems:
            raise CheckpointError.collect(problems)
        resize_tables(self, state_dict)
        result = nn.Module.load_state_dict(self, state_dict, strict=strict, assign=assign)
        self._tables.accept(self)
        return result

    def take(self, tensors: Mapping[str, Tensor]) -> None:
        """Have as its own tensors that are known to be those of its state dict, by key, type and shape.

        This is `load_state_dict(tensors, assign=True)` for a loader that has compared them with the plan; torch's takes
        four times as long.

        Raises:
            CheckpointError: coding tables among them cannot be used.
        """
        problems = table_problems(self, tensors)
        if problems:
            raise CheckpointError.collect(problems)
        assign_tensors(self, tensors)
        self._tables.accept(self)

    def require_image(self, x: Tensor) -> None:
        """Refuse what is no batch of images for this codec.

        Raises:
            BuildError: x has another shape than (N, C, H, W), holds no floats, or is too large for the memory allowed.
        """
        channels = self.spec.in_channels
        if x.ndim != 4 or x.shape[1] != channels or 0 in x.shape or max(x.shape[-2:]) > MAX_SIDE:
            message = f"an image tensor is (N, {channels}, H, W), sides 1 to {MAX_SIDE}; found {tuple(x.shape)}"
            raise BuildError("E-input", "x", message)
        if not x.is_floating_point():
            raise BuildError("E-input", "x", f"an image tensor holds floats in [0, 1], found {x.dtype}")
        self.require_memory(len(x), x.shape[-2], x.shape[-1])

    def _check_shape(self, strings: Strings, shape: tuple[int, int]) -> tuple[int, int]:
        if len(shape) != 2 or not all(1 <= side <= MAX_SIDE for side in shape):
            raise StreamError("E-stream", "shape", f"an image is (H, W), 1 to {MAX_SIDE} each; found {tuple(shape)}")
        if len({len(part) for part in strings}) != 1 or not strings[0]:
            found = sorted({len(part) for part in strings})
            raise StreamError("E-stream", "strings", f"every part has one string per image; found {found} per part")
        num_parts = len(self.parts(int(shape[0]), int(shape[1])))
        if len(strings) != num_parts:
            message = f"{len(strings)} parts of strings, and this model codes in {num_parts}"
            raise StreamError("E-stream", "strings", message)
        return int(shape[0]), int(shape[1])
