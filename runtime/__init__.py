"""What runs: layers, latent codecs, coding tables, streams, image files.

The building blocks below are for those who write code and not YAML; the compiler builds with the same ones. They are
imported when they are asked for: a stream can be looked into without torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codecspec.runtime.latent_codecs.channel_groups import ChannelGroupsLatentCodec, build_channel_slice_codec
    from codecspec.runtime.latent_codecs.dual_hyper_synthesis import DualHyperSynthesis
    from codecspec.runtime.latent_codecs.lrp_gaussian import LRPGaussianLatentCodec
    from codecspec.runtime.latent_codecs.mean_scale_head import MeanScaleContextHead, build_mean_scale_head
    from codecspec.runtime.layers.entropy_transform import make_entropy_transform
    from codecspec.runtime.slice_channels import (
        infer_max_support_slices,
        infer_num_slices,
        lrp_support_channels,
        slice_support_channels,
    )

_MODULES = {
    "ChannelGroupsLatentCodec": "latent_codecs.channel_groups",
    "DualHyperSynthesis": "latent_codecs.dual_hyper_synthesis",
    "LRPGaussianLatentCodec": "latent_codecs.lrp_gaussian",
    "MeanScaleContextHead": "latent_codecs.mean_scale_head",
    "build_channel_slice_codec": "latent_codecs.channel_groups",
    "build_mean_scale_head": "latent_codecs.mean_scale_head",
    "infer_max_support_slices": "slice_channels",
    "infer_num_slices": "slice_channels",
    "lrp_support_channels": "slice_channels",
    "make_entropy_transform": "layers.entropy_transform",
    "slice_support_channels": "slice_channels",
}

__all__ = [
    "ChannelGroupsLatentCodec",
    "DualHyperSynthesis",
    "LRPGaussianLatentCodec",
    "MeanScaleContextHead",
    "build_channel_slice_codec",
    "build_mean_scale_head",
    "infer_max_support_slices",
    "infer_num_slices",
    "lrp_support_channels",
    "make_entropy_transform",
    "slice_support_channels",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
