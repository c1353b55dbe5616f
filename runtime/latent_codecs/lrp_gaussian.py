"""The Gaussian leaf with latent residual prediction."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from codecspec.runtime.latent_codecs.gaussian_leaf import GaussianLeaf
from codecspec.runtime.latent_codecs.slice_params import SliceParams
from codecspec.runtime.layers.entropy_transform import EntropyTransform
from codecspec.runtime.layers.seen_maps import SeenMaps


class LRPGaussianLatentCodec(GaussianLeaf):
    """A Gaussian leaf that corrects its rounding: y_hat += lrp_scale * tanh(lrp(mean_support, y_hat)).

    Minnen & Singh, ICIP 2020, section 3.2.

    Args:
        lrp_transform: net over (mean_support, y_hat), giving as many channels as y has.
        lrp_scale: the largest correction.
        mean_support_trail_channels: how many channels of `ctx_params` are the mean support; they come last, after
            scales and means.
        quantizer: see `GaussianLeaf`.
    """

    def __init__(
        self,
        lrp_transform: nn.Module,
        *,
        lrp_scale: float = 0.5,
        mean_support_trail_channels: int = 0,
        quantizer: str = "ste",
    ) -> None:
        super().__init__(quantizer=quantizer)
        self.lrp_transform = lrp_transform
        self.lrp_scale = lrp_scale
        self.mean_support_trail_channels = mean_support_trail_channels

    def parameters_of(
        self, ctx_params: Tensor | SliceParams, channels: int
    ) -> tuple[Tensor, Tensor | None, Tensor | SeenMaps | None]:
        """(scales, means, mean support)."""
        if isinstance(ctx_params, SliceParams):
            return ctx_params
        scales, means, support = torch.split(ctx_params, [channels, channels, self.mean_support_trail_channels], dim=1)
        return scales, means, support

    def refine(self, y_hat: Tensor, support: Tensor | SeenMaps | None) -> Tensor:
        """y_hat with the predicted residual added."""
        if isinstance(support, SeenMaps):
            maps = support.beside(y_hat)
            residual = self.lrp_transform(maps if isinstance(self.lrp_transform, EntropyTransform) else maps.joined())
        else:
            residual = self.lrp_transform(y_hat if support is None else torch.cat([support, y_hat], dim=1))
        return y_hat + self.lrp_scale * torch.tanh(residual)

    def channels_of(self, ctx_params: Tensor | SliceParams) -> int:
        """Channels of the latent that these parameters are for."""
        if isinstance(ctx_params, SliceParams):
            return ctx_params.means.shape[1]
        return (ctx_params.shape[1] - self.mean_support_trail_channels) // 2
