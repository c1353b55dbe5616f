"""The density of a latent that is coded by itself."""

from __future__ import annotations

from torch import Tensor

from codecspec.runtime.compressai_classes import EntropyBottleneck


class TraceableEntropyBottleneck(EntropyBottleneck):
    """CompressAI's `EntropyBottleneck`, the same numbers bit for bit, for torch.compile too.

    Its own forward reads the order of the axes out of a tensor, which no graph can hold, and for which a GPU is waited
    for.
    """

    def forward(self, x: Tensor, training: bool | None = None) -> tuple[Tensor, Tensor]:
        """(N, C, H, W) -> x rounded around the medians (in training: with noise), and its likelihoods."""
        by_channel = x.transpose(0, 1).contiguous()
        mode = "noise" if (self.training if training is None else training) else "dequantize"
        values = self.quantize(by_channel.reshape(self.channels, 1, -1), mode, self._get_medians())
        likelihoods, _, _ = self._likelihood(values)
        if self.use_likelihood_bound:
            likelihoods = self.likelihood_lower_bound(likelihoods)
        return _by_image(values, by_channel), _by_image(likelihoods, by_channel)


def _by_image(values: Tensor, like: Tensor) -> Tensor:
    return values.reshape(like.shape).transpose(0, 1).contiguous()
