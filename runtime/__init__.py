"""What runs: layers, latent codecs, coding tables, streams, image files.

The building blocks below are for those who write code and not YAML; the compiler builds with the same ones.
"""

import warnings

# CompressAI imports torch_geometric, which warns at its users of its own use of torch; nothing they could mend.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)
    warnings.simplefilter("ignore", DeprecationWarning)
    import compressai  # noqa: F401

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
