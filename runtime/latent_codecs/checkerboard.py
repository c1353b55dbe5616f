"""The Gaussian leaf in two passes over a checkerboard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from compressai.layers import CheckerboardMaskedConv2d
from compressai.ops import quantize_ste
from torch import Tensor, nn

from codecspec.runtime.latent_codecs.coded_latent import CodedUnderParams
from codecspec.runtime.latent_codecs.gaussian import GaussianLatentCodec
from codecspec.runtime.latent_codecs.symbol_coder import SymbolCoder
from codecspec.runtime.latent_codecs.symbols import LatentPart
from codecspec.runtime.layers.two_ways import TwoWays

PASSES = ("y, anchors", "y, the rest")
"""What streams and errors call the two passes."""
Step = Callable[[int, Tensor, Tensor], Tensor]
POINTWISE = (nn.ReLU, nn.LeakyReLU, nn.GELU)


class CheckerboardLatentCodec(TwoWays, CodedUnderParams):
    """Codes the anchors of a checkerboard, then the rest, which sees the anchors around it (He et al., CVPR 2021).

                              pass 0        pass 1
        ■ □ ■ □  ■ anchors    context 0     y_hat of the anchors ─► context_prediction ─► context
        □ ■ □ ■  □ the rest
        ■ □ ■ □               cat(context, ctx_params) ─► entropy_parameters ─► y (Gaussian) ─► y_hat

    `forward`, `compress` and `decompress` share one walk over the two passes. Its nets run over all positions in both,
    as in CompressAI's `CheckerboardLatentCodec` (`forward_method="twopass"`): a convolution over half of the positions
    would round differently where there are few, and what is coded would not be what `forward` says. The fast way, which
    all three share too, runs a pointwise `entropy_parameters` over the positions of its pass alone.

    Args:
        context_prediction: masked convolution, from the latent's channels to twice as many.
        entropy_parameters: pointwise net over (context, ctx_params), giving what `y` reads.
        y: the Gaussian leaf that codes each pass.
        parity: the anchors are where row + column is `even` or `odd`.
    """

    num_parts: ClassVar[int] = 2
    """Strings per image: the anchors, the rest."""

    def __init__(
        self,
        context_prediction: CheckerboardMaskedConv2d,
        entropy_parameters: nn.Module,
        y: GaussianLatentCodec,
        *,
        parity: str = "even",
    ) -> None:
        super().__init__()
        self.context_prediction = context_prediction
        self.entropy_parameters = entropy_parameters
        self.y = y
        self.parity = parity

    def forward(self, y: Tensor, ctx_params: Tensor) -> dict[str, Any]:
        """(N, C, H, W), (N, P, H, W) -> `y_hat` and `likelihoods` {y}, both of y's shape."""
        if self._by_halves(ctx_params):
            return self._forward_by_halves(y, ctx_params)

        def step(i: int, params: Tensor, mask: Tensor) -> Tensor:
            if self.training and self.y.quantizer == "noise":
                y_hat: Tensor = self.y.gaussian_conditional.quantize(y, "noise")
                return y_hat
            means = self.y.parameters_of(params, y.shape[1])[1]
            return quantize_ste(y) if means is None else quantize_ste(y - means) + means

        y_hat, params = self._walk(ctx_params, step)
        scales, means, _ = self.y.parameters_of(params, y.shape[1])
        _, likelihoods = self.y.gaussian_conditional(y, scales, means=means)
        return {"likelihoods": {"y": likelihoods}, "y_hat": y_hat}

    def code(self, y: Tensor | None, ctx_params: Tensor, coder: SymbolCoder) -> Tensor:
        """See `CodedUnderParams`."""
        if self._by_halves(ctx_params):

            def half(i: int, params: Tensor, mask: Tensor) -> Tensor:
                return self.y.code(None if y is None else _gather(y, mask), params, coder, PASSES[i])

            return self._walk_halves(ctx_params, half)

        def step(i: int, params: Tensor, mask: Tensor) -> Tensor:
            own = None if y is None else _gather(y, mask)
            return _scatter(self.y.code(own, _gather(params, mask), coder, PASSES[i]), mask)

        return self._walk(ctx_params, step)[0]

    def parts(self, channels: int, size: tuple[int, int]) -> list[LatentPart]:
        anchors = int(self._anchors(*size, torch.device("cpu")).sum())
        numbers = (anchors, size[0] * size[1] - anchors)
        return [LatentPart(name, channels * n, under_scales=True) for name, n in zip(PASSES, numbers, strict=True)]

    def _walk(self, ctx_params: Tensor, step: Step) -> tuple[Tensor, Tensor]:
        """The one walk over the passes -> y_hat and its Gaussian's parameters.

        Each step gets the pass, the parameters of all positions and the (H, W) mask of its own, and gives the y_hat of
        its positions; what it gives elsewhere is left out.
        """
        n, _, height, width = ctx_params.shape
        y_hat = ctx_params.new_zeros(n, self.context_prediction.in_channels, height, width)
        context = ctx_params.new_zeros(n, self.context_prediction.out_channels, height, width)
        params = context
        anchors = self._anchors(height, width, ctx_params.device)
        for i, mask in enumerate((anchors, ~anchors)):
            if i:
                context = self.context_prediction(y_hat)
            params_i = self.entropy_parameters(torch.cat([context, ctx_params], dim=1))
            y_hat = torch.where(mask, step(i, params_i, mask), y_hat)
            params = torch.where(mask, params_i, params)
        return y_hat, params

    def _by_halves(self, ctx_params: Tensor) -> bool:
        """Whether this call takes the fast way: it is for nets that see one position at a time, and needs positions in
        both passes."""
        net = self.entropy_parameters
        return (
            self.goes_fast()
            and not self.training
            and ctx_params.shape[-2] * ctx_params.shape[-1] > 1
            and isinstance(net, nn.Sequential)
            and all(isinstance(layer, POINTWISE) or _is_pointwise(layer) for layer in net)
        )

    def _forward_by_halves(self, y: Tensor, ctx_params: Tensor) -> dict[str, Any]:
        likelihoods = torch.empty_like(y)

        def half(i: int, params: Tensor, mask: Tensor) -> Tensor:
            out = self.y(_gather(y, mask), params)
            likelihoods[..., mask] = out["likelihoods"]["y"].squeeze(2)
            y_hat: Tensor = out["y_hat"]
            return y_hat

        y_hat = self._walk_halves(ctx_params, half)
        return {"likelihoods": {"y": likelihoods}, "y_hat": y_hat}

    def _walk_halves(self, ctx_params: Tensor, step: Step) -> Tensor:
        """As `_walk`; each step gets the parameters of its own positions, `_gather`ed, and gives the y_hat there."""
        n, _, height, width = ctx_params.shape
        y_hat = ctx_params.new_zeros(n, self.context_prediction.in_channels, height, width)
        context = ctx_params.new_zeros(n, self.context_prediction.out_channels, height, width)
        anchors = self._anchors(height, width, ctx_params.device)
        for i, mask in enumerate((anchors, ~anchors)):
            if i:
                context = self.context_prediction(y_hat)
            params = self.entropy_parameters(torch.cat([_gather(context, mask), _gather(ctx_params, mask)], dim=1))
            y_hat[..., mask] = step(i, params, mask).squeeze(2)
        return y_hat

    def _anchors(self, height: int, width: int, device: torch.device) -> Tensor:
        """(H, W), true where an anchor is."""
        rows = torch.arange(height, device=device)[:, None]
        columns = torch.arange(width, device=device)[None, :]
        return (rows + columns) % 2 == (self.parity == "odd")


def _is_pointwise(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Conv2d) and (layer.kernel_size, layer.padding, layer.stride) == ((1, 1), (0, 0), (1, 1))


def _gather(x: Tensor, mask: Tensor) -> Tensor:
    """(N, C, H, W), (H, W) -> (N, C, 1, P): the P positions of the mask, row by row."""
    return x[..., mask].unsqueeze(2).contiguous()


def _scatter(values: Tensor, mask: Tensor) -> Tensor:
    """The inverse of `_gather`, zero elsewhere."""
    x = values.new_zeros(*values.shape[:2], *mask.shape)
    x[..., mask] = values.squeeze(2)
    return x
