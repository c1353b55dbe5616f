"""The auxiliary branch of causal context adjustment; training looks at it, coding never runs it."""

from __future__ import annotations

from torch import Tensor, nn

from codecspec.runtime.factorized_density import TraceableEntropyBottleneck
from codecspec.runtime.latent_codecs.own_precision import in_own_precision


class CCAEntropyModel(nn.Module):
    """What y costs by itself, and what it costs without the most recent slice (Han et al., NeurIPS 2024, section 3.3).

        y ─┬─► y_entropy_bottleneck ─► likelihoods y_aux
           └─► inner_codec ──────────► likelihoods y_cca
        side parameters ─┘

    Nothing is detached: the loss of the branch reaches g_a and h_s.

    Args:
        channels: channels of y.
        inner_codec: codec of y given the side parameters, whose slices see less than those of the codec beside it; it
            decodes a y_hat of its own.
    """

    def __init__(self, channels: int, inner_codec: nn.Module) -> None:
        super().__init__()
        self.y_entropy_bottleneck = TraceableEntropyBottleneck(channels)
        self.inner_codec = inner_codec

    @in_own_precision
    def forward(self, y: Tensor, side_params: Tensor) -> dict[str, Tensor]:
        """(N, M, H, W), (N, P, H, W) -> likelihoods {y_aux, y_cca}, both of y's shape."""
        _, y_aux = self.y_entropy_bottleneck(y)
        return {"y_aux": y_aux, "y_cca": self.inner_codec(y, side_params)["likelihoods"]["y"]}
