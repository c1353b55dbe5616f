"""y slice by slice, each predicted from the slices before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any

import torch
from compressai.latent_codecs import LatentCodec
from torch import Tensor, nn

from codecspec.runtime.latent_codecs.lrp_gaussian import LRPGaussianLatentCodec
from codecspec.runtime.latent_codecs.mean_scale_head import MeanScaleContextHead
from codecspec.runtime.latent_codecs.slice_params import SliceParams
from codecspec.runtime.latent_codecs.symbol_coder import SymbolCoder
from codecspec.runtime.latent_codecs.symbols import LatentPart, Strings
from codecspec.runtime.layers.seen_maps import SeenMaps
from codecspec.runtime.layers.two_ways import TwoWays
from codecspec.schema.errors import StreamError

SupportFilter = Callable[[int, list[Tensor]], list[Tensor]]
Step = Callable[[int, Tensor | SliceParams], dict[str, Any]]


class ChannelGroupsLatentCodec(TwoWays, LatentCodec):
    """Codes y in slices, one after the other (Minnen & Singh, ICIP 2020; He et al., ELIC, CVPR 2022).

        y_hat_0 .. y_hat_{k-1} ─► support filter ─► channel_context.y{k} ─► params ─► latent_codec.y{k} ─► y_hat_k
        side parameters ───────────────────────────┴── (in the context)    or ──┴── (beside its parameters)

    The fast way hands maps to heads and leaves of the published kinds without joining them.

    Args:
        latent_codec: the leaf of each slice, `y0`, `y1`, ..; says by `num_parts` how many strings it writes per image
            (where it does not, as CompressAI's do not, all write equally many).
        channel_context: the context head of each slice that sees anything: of all with `side_in_context`, else of
            those that see an earlier slice.
        groups: channels of each slice.
        max_support_slices: the first so many earlier slices are seen; all with -1.
        support_filter: `(k, prior) -> prior'`, instead of the clamp.
        support_slices: for each slice the indexes of the slices it sees, instead of the clamp.
        side_in_context: the heads see (side, *prior) and give all parameters; otherwise they see the prior alone and
            the leaf gets (head's parameters, side), or the side parameters alone where it sees no slice.
    """

    def __init__(
        self,
        latent_codec: Mapping[str, LatentCodec],
        channel_context: Mapping[str, nn.Module],
        *,
        groups: Sequence[int],
        max_support_slices: int = -1,
        support_filter: SupportFilter | None = None,
        support_slices: Sequence[Sequence[int]] | None = None,
        side_in_context: bool = False,
    ) -> None:
        super().__init__()
        if support_filter is not None and support_slices is not None:
            raise ValueError("give support_filter or support_slices, not both")
        self.groups = list(groups)
        self.channel_context = nn.ModuleDict(channel_context)
        self.latent_codec = nn.ModuleDict(latent_codec)
        self.max_support_slices = max_support_slices
        self.support_filter = support_filter
        self.support_slices = None if support_slices is None else [list(seen) for seen in support_slices]
        self.side_in_context = side_in_context

    def __getitem__(self, key: str) -> nn.Module:
        return self.latent_codec[key]

    def forward(self, y: Tensor, side_params: Tensor) -> dict[str, Any]:
        """(N, M, H, W), (N, P, H, W) -> `y_hat` and `likelihoods` {y}, both of y's shape."""
        slices = torch.split(y, self.groups, dim=1)
        out = self._walk(side_params, lambda k, params: self._leaf(k)(slices[k], params))
        likelihoods = torch.cat([slice_out["likelihoods"]["y"] for slice_out in out], dim=1)
        return {"likelihoods": {"y": likelihoods}, "y_hat": _joined(out)}

    def compress(self, y: Tensor, side_params: Tensor) -> dict[str, Any]:
        """(N, M, H, W), (N, P, H, W) -> `strings` of all slices in order, `shape` of each slice, `y_hat`.

        Raises:
            StreamError: a slice is not finite or too large to code; names it.
        """
        slices = torch.split(y, self.groups, dim=1)
        out = self._walk(side_params, lambda k, params: self._leaf(k).compress(slices[k], params))
        return {
            "strings": [strings for slice_out in out for strings in slice_out["strings"]],
            "shape": [slice_out["shape"] for slice_out in out],
            "y_hat": _joined(out),
        }

    def decompress(self, strings: Strings, shape: Sequence[Sequence[int]], side_params: Tensor) -> dict[str, Any]:
        """The inverse of `compress`; a slice's shape is (H, W) or (C, H, W), as its leaf gave it."""
        num_slices = len(self.groups)
        num_parts = [getattr(self._leaf(k), "num_parts", len(strings) // num_slices) for k in range(num_slices)]
        if len(strings) != sum(num_parts) or len(shape) != num_slices:
            message = f"{len(strings)} parts of strings and {len(shape)} shapes for {num_slices} slices"
            raise StreamError("E-stream", "y", message)
        ends = list(accumulate(num_parts))

        def step(k: int, params: Tensor | SliceParams) -> dict[str, Any]:
            own = strings[ends[k] - num_parts[k] : ends[k]]
            out: dict[str, Any] = self._leaf(k).decompress(own, tuple(shape[k]), params)
            return out

        return {"y_hat": _joined(self._walk(side_params, step))}

    def code(self, y: Tensor | None, side_params: Tensor, coder: SymbolCoder) -> Tensor:
        """Code y (N, M, H, W) with (N, P, H, W) side parameters -> y_hat; y is None when reading.

        Raises:
            StreamError: a slice is not finite or too large to code, or the coder has no such slice; names it.
        """
        slices = [None] * len(self.groups) if y is None else torch.split(y, self.groups, dim=1)
        return _joined(self._walk(side_params, lambda k, params: {"y_hat": self._coded(k, slices[k], params, coder)}))

    def _coded(self, k: int, y: Tensor | None, params: Tensor | SliceParams, coder: SymbolCoder) -> Tensor:
        y_hat: Tensor = self._leaf(k).code(y, params, coder)
        return y_hat

    def parts(self, channels: int, size: tuple[int, int]) -> list[LatentPart]:
        """The parts of a y of so many positions, slice by slice; `channels` is what all slices have."""
        return [part for k, width in enumerate(self.groups) for part in self._leaf(k).parts(width, size)]

    def latent_shape(self, height: int, width: int) -> list[Any]:
        """The `shape` of a latent of (height, width) positions."""
        return [self._leaf(k).latent_shape(height, width) for k in range(len(self.groups))]

    def _leaf(self, k: int) -> LatentCodec:
        return self.latent_codec[f"y{k}"]

    def _walk(self, side_params: Tensor, step: Step) -> list[dict[str, Any]]:
        """The one walk over the slices: each step gets the parameters made of what the steps before it decoded."""
        out: list[dict[str, Any]] = []
        for k in range(len(self.groups)):
            params = self._params_of(k, side_params, [slice_out["y_hat"] for slice_out in out])
            try:
                out.append(step(k, params))
            except StreamError as error:
                raise StreamError(error.code, f"slice {k} of {error.where}", error.message, error.hint) from error
        return out

    def _params_of(self, k: int, side_params: Tensor, decoded: list[Tensor]) -> Tensor | SliceParams:
        prior = self.support_of(k, decoded)
        if self.side_in_context:
            seen = [side_params, *prior]
            return self._params_apart(k, seen) if self._sees_apart(k, side_params) else self._head(k, seen)
        if not prior:
            return side_params
        return torch.cat([self._head(k, prior), side_params], dim=1)

    def _head(self, k: int, seen: list[Tensor]) -> Tensor:
        params: Tensor = self.channel_context[f"y{k}"](torch.cat(seen, dim=1))
        return params

    def _params_apart(self, k: int, seen: list[Tensor]) -> Tensor | SliceParams:
        """What the head gives; in one tensor for leaves that know no other."""
        params: SliceParams = self.channel_context[f"y{k}"](SeenMaps(tuple(seen)))
        return params if type(self._leaf(k)) is LRPGaussianLatentCodec else params.joined()

    def _sees_apart(self, k: int, side_params: Tensor) -> bool:
        """Whether slice k's head takes maps that are not joined, and would split the side parameters in two at most."""
        head = self.channel_context[f"y{k}"]
        return (
            self.goes_fast() and type(head) is MeanScaleContextHead and 2 * head.side_split in (0, side_params.shape[1])
        )

    def support_of(self, k: int, decoded: list[Tensor]) -> list[Tensor]:
        """Those of the decoded slices 0 .. k-1 that slice k sees."""
        if self.support_slices is not None:
            return [decoded[j] for j in self.support_slices[k]]
        if self.support_filter is not None:
            return self.support_filter(k, decoded)
        return decoded if self.max_support_slices < 0 else decoded[: self.max_support_slices]


def _joined(out: list[dict[str, Any]]) -> Tensor:
    return torch.cat([slice_out["y_hat"] for slice_out in out], dim=1)


def build_channel_slice_codec(
    *,
    groups: Sequence[int],
    leaf_factory: Callable[[int, int, int], nn.Module],
    channel_context_factory: Callable[[int, int, int], nn.Module | None],
    max_support_slices: int = -1,
    support_filter: SupportFilter | None = None,
    support_count_fn: Callable[[int], int] | None = None,
    side_in_context: bool = False,
    side_channels: int = 0,
) -> ChannelGroupsLatentCodec:
    """Channel groups whose heads and leaves are made slice by slice, told the channels that they see.

    Args:
        groups: channels of each slice.
        leaf_factory: (k, channels of slice k, channels of its support) -> its leaf.
        channel_context_factory: the same -> its head, or None for a slice without one.
        max_support_slices: see `ChannelGroupsLatentCodec`.
        support_filter: see `ChannelGroupsLatentCodec`; run on empty tensors here, to count what it lets through.
        support_count_fn: k -> how many of the earlier slices, the first ones, count as seen; for a filter that cannot
            be run on empty tensors.
        side_in_context: see `ChannelGroupsLatentCodec`.
        side_channels: channels of the side parameters that count as support of every slice.
    """
    codec = ChannelGroupsLatentCodec(
        {},
        {},
        groups=groups,
        max_support_slices=max_support_slices,
        support_filter=support_filter,
        side_in_context=side_in_context,
    )
    for k, width in enumerate(groups):
        seen = [torch.empty(0, channels, 0, 0) for channels in groups[:k]]
        prior = seen[: support_count_fn(k)] if support_count_fn else codec.support_of(k, seen)
        support = side_channels + sum(int(part.shape[1]) for part in prior)
        codec.latent_codec[f"y{k}"] = leaf_factory(k, width, support)
        head = channel_context_factory(k, width, support)
        if head is not None:
            codec.channel_context[f"y{k}"] = head
    return codec
