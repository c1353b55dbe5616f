"""The context head of a slice: its support -> the parameters of its leaf."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, overload

import torch
from torch import Tensor, nn

from codecspec.runtime.latent_codecs.slice_params import SliceParams
from codecspec.runtime.layers.entropy_transform import EntropyTransform, make_entropy_transform
from codecspec.runtime.layers.seen_maps import SeenMaps

EmitMeanSupport = bool | Literal["pre", "post"]


class MeanScaleContextHead(nn.Module):
    """Two nets, one for the means and one for the scales, each over its half of the side parameters and the earlier
    slices (Minnen & Singh, ICIP 2020, section 3.1).

                    ┌─ mean half ──► cat(., prior) ─► T_mean ──┬─► mean_cc ──► means
        cat(side,   │                                          └─► mean support (emitted)
            prior) ─┤
                    └─ scale half ─► cat(., prior) ─► T_scale ───► scale_cc ─► scales

    Gives cat(scales, means[, mean support]). Asked with maps that are not joined, it gives these apart.

    Args:
        mean_cc: net for the means.
        scale_cc: net for the scales.
        mean_support_transform: T_mean; None for none.
        scale_support_transform: T_scale; None for none.
        side_split: channels of the mean half, and as many of the scale half after it; with 0 both nets see all.
        emit_mean_support: hand on the mean support before (`"pre"`, `True`) or after (`"post"`) T_mean, or not.
    """

    def __init__(
        self,
        mean_cc: nn.Module,
        scale_cc: nn.Module,
        mean_support_transform: nn.Module | None = None,
        scale_support_transform: nn.Module | None = None,
        *,
        side_split: int = 0,
        emit_mean_support: EmitMeanSupport = False,
    ) -> None:
        super().__init__()
        if emit_mean_support not in (False, True, "pre", "post"):
            raise ValueError(f"emit_mean_support is False, True, 'pre' or 'post', not {emit_mean_support!r}")
        self.mean_cc = mean_cc
        self.scale_cc = scale_cc
        self.mean_support_transform = mean_support_transform
        self.scale_support_transform = scale_support_transform
        self.side_split = side_split
        self.emit_mean_support = "pre" if emit_mean_support is True else emit_mean_support

    @overload
    def forward(self, x: Tensor) -> Tensor: ...
    @overload
    def forward(self, x: SeenMaps) -> SliceParams: ...
    def forward(self, x: Tensor | SeenMaps) -> Tensor | SliceParams:
        """(N, side + prior, H, W) -> (N, 2 * C + mean support, H, W); with `SeenMaps` the side parameters are the first
        of them, whole, and what comes out is told apart."""
        if isinstance(x, SeenMaps):
            return self._apart(x)
        split = self.side_split
        mean_half, scale_half, prior = x.tensor_split([split, 2 * split], dim=1)
        mean_in = torch.cat([mean_half, prior], dim=1)
        scale_in = torch.cat([scale_half, prior], dim=1)
        mean_support = self.mean_support_transform(mean_in) if self.mean_support_transform else mean_in
        scale_support = self.scale_support_transform(scale_in) if self.scale_support_transform else scale_in
        parts = [self.scale_cc(scale_support), self.mean_cc(mean_support)]
        if self.emit_mean_support:
            parts.append(mean_in if self.emit_mean_support == "pre" else mean_support)
        return torch.cat(parts, dim=1)

    def _apart(self, seen: SeenMaps) -> SliceParams:
        mean_in, scale_in = self._halves(seen)
        mean_support = _transformed(self.mean_support_transform, mean_in)
        scale_support = _transformed(self.scale_support_transform, scale_in)
        emitted = {"pre": mean_in, "post": mean_support}.get(str(self.emit_mean_support))
        return SliceParams(_through(self.scale_cc, scale_support), _through(self.mean_cc, mean_support), emitted)

    def _halves(self, seen: SeenMaps) -> tuple[SeenMaps, SeenMaps]:
        """What the mean net and the scale net see."""
        split, (side, *prior) = self.side_split, seen.parts
        if not split:
            return seen, seen
        mean_half, scale_half = torch.split(side, [split, side.shape[1] - split], dim=1)
        return SeenMaps((mean_half, *prior)), SeenMaps((scale_half, *prior))


def _transformed(transform: nn.Module | None, seen: SeenMaps) -> SeenMaps:
    return seen if transform is None else SeenMaps((transform(seen.joined()),))


def _through(net: nn.Module, seen: SeenMaps) -> Tensor:
    out: Tensor = net(seen if isinstance(net, EntropyTransform) else seen.joined())
    return out


def build_mean_scale_head(
    slice_ch: int,
    support_ch: int,
    *,
    widths: Sequence[int],
    support_transform_factory: Callable[[int], nn.Module] | None = None,
    side_split: int = 0,
    emit_mean_support: EmitMeanSupport = False,
) -> MeanScaleContextHead:
    """A head of 3x3 convolutions with GELU between, and a support transform of its own for the mean and the scale.

    Args:
        slice_ch: channels of the slice.
        support_ch: channels that each net sees: its half of the side parameters and the earlier slices.
        widths: hidden channels of both nets.
        support_transform_factory: channels -> a net that keeps them; None for none. Called twice.
        side_split: see `MeanScaleContextHead`.
        emit_mean_support: see `MeanScaleContextHead`.
    """
    transform = support_transform_factory
    return MeanScaleContextHead(
        make_entropy_transform(support_ch, slice_ch, widths=widths),
        make_entropy_transform(support_ch, slice_ch, widths=widths),
        transform(support_ch) if transform else None,
        transform(support_ch) if transform else None,
        side_split=side_split,
        emit_mean_support=emit_mean_support,
    )
