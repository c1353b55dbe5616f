"""Digests by which a stream knows its model: of the weights that decoding runs, and of the coding tables.

Both are XXH3-128, which reads a model's weights about as fast as memory gives them; they tell models apart, and
protect against nobody who wants two to be alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from xxhash import xxh3_128

from codecspec.runtime.coding_tables import coding_tables, entropy_models, gaussian_scales
from codecspec.runtime.compressai_classes import GaussianConditional, MaskedConv2d
from codecspec.runtime.loading import uncompiled_key

if TYPE_CHECKING:
    from codecspec.runtime.codec import Codec

ENCODER_ONLY = ("g_a.", "latent_codec.h_a.", "aux_entropy_model.")
"""Where the weights are that decoding never runs: an encoder trained further writes streams of the same decoder."""


def weights_digest(codec: Codec) -> bytes:
    """16 bytes: of every weight that decoding runs, by key, shape and value, as float32.

    The same on every device, in every memory format, and after every conversion between checkpoint layouts.
    """
    weights = decoder_weights(codec)
    if all(weight.device.type == "cpu" for weight in weights.values()):
        return digest_of(weights)
    return _KEPT.of(codec, weights)


def tables_digest(codec: Codec) -> bytes:
    """16 bytes: of the coding tables of every entropy model, in order, and of the scales that Gaussian ones are for."""
    digest = xxh3_128()
    for model in entropy_models(codec.latent_codec):
        digest.update(coding_tables(model).digest)
        if isinstance(model, GaussianConditional):
            digest.update(gaussian_scales(model).astype("<f4").tobytes())
    return digest.digest()


def decoder_weights(codec: Codec) -> dict[str, Tensor]:
    """The weights that decoding runs, by key; those of masked convolutions under their masks, which CompressAI applies
    to the weights themselves when such a layer first runs."""
    named = {uncompiled_key(key): weight.detach() for key, weight in codec.named_parameters()}
    weights = {key: weight for key, weight in named.items() if not key.startswith(ENCODER_ONLY)}
    for path, module in codec.named_modules():
        if isinstance(module, MaskedConv2d):
            weights[uncompiled_key(f"{path}.weight")] = module.weight.detach() * module.mask
    return weights


def digest_of(weights: Mapping[str, Tensor]) -> bytes:
    """16 bytes: of tensors by key, shape and value, as float32."""
    digest = xxh3_128()
    for key in sorted(weights):
        values = weights[key].to("cpu", torch.float32).contiguous().numpy()
        digest.update(f"{key}{list(values.shape)}".encode())
        digest.update(values.astype("<f4", copy=False).reshape(-1).data)
    return digest.digest()


class KeptDigests:
    """Digests of weights that lie on a GPU, from where it takes longer to fetch them than to decode an image.

    A digest is made again when a version count of torch, or a sum over the bits of a tensor, says that it changed.

    Args:
        digest: makes a digest.
    """

    def __init__(self, digest: Callable[[Mapping[str, Tensor]], bytes] = digest_of) -> None:
        self._digest = digest
        self._kept: WeakKeyDictionary[nn.Module, tuple[list[int], bytes]] = WeakKeyDictionary()

    def of(self, codec: nn.Module, weights: Mapping[str, Tensor]) -> bytes:
        """The digest of a codec's weights."""
        now = _fingerprint(list(weights.values()))
        known = self._kept.get(codec)
        if known is None or known[0] != now:
            known = self._kept[codec] = (now, self._digest(weights))
        return known[1]


_KEPT = KeptDigests()


def _fingerprint(weights: Sequence[Tensor]) -> list[int]:
    """What changes with the weights, at the cost of reading them where they are."""
    whole = {2: torch.int16, 4: torch.int32, 8: torch.int64}
    sums = [weight.view(whole[weight.element_size()]).sum(dtype=torch.int64) for weight in weights]
    versions = [0 if weight.is_inference() else weight._version for weight in weights]
    return [*versions, *(int(total) for total in torch.stack(sums).tolist())]
