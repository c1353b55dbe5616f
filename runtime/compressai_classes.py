"""CompressAI's classes that codecs are made of, imported without the warnings of what CompressAI imports."""

import warnings

from codecspec.runtime.compressai_import import import_compressai

# CompressAI imports torch_geometric, which warns at its users of its own use of torch; nothing they could mend.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)
    warnings.simplefilter("ignore", DeprecationWarning)
    import_compressai()
    from compressai.entropy_models import EntropyBottleneck, EntropyModel, GaussianConditional
    from compressai.latent_codecs import LatentCodec
    from compressai.layers import MaskedConv2d
    from compressai.losses import RateDistortionLoss
    from compressai.models import CompressionModel
    from compressai.models.base import get_scale_table

__all__ = [
    "CompressionModel",
    "EntropyBottleneck",
    "EntropyModel",
    "GaussianConditional",
    "LatentCodec",
    "MaskedConv2d",
    "RateDistortionLoss",
    "get_scale_table",
]
