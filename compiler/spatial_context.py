"""What leaves with a spatial context share: a masked convolution over what is decoded, a net of 1x1 convolutions."""

from __future__ import annotations

from typing import Literal

from codecspec.compiler.kind import conv_tensors
from codecspec.compiler.kinds.entropy_transform import read_transform
from codecspec.compiler.plan import TensorPlan, join
from codecspec.compiler.reading import Reading, View
from codecspec.schema.entropy_transform import EntropyTransformSpec
from codecspec.schema.leaves import RampSpec


def masked_conv_tensors(channels: int, kernel: int) -> dict[str, TensorPlan]:
    """`context_prediction`: a masked convolution from a latent's channels to twice as many."""
    tensors = {
        **conv_tensors(channels, 2 * channels, kernel),
        "mask": TensorPlan((2 * channels, channels, kernel, kernel), "buffer"),
    }
    return {join("context_prediction", name): tensor for name, tensor in tensors.items()}


def parameters_net(
    parameters: RampSpec | tuple[int, ...], c_in: int, out: int, activation: Literal["relu", "leaky_relu"]
) -> EntropyTransformSpec:
    """`entropy_parameters`: 1x1 convolutions from `c_in` to `out` channels, their hidden widths written or a ramp."""
    widths = parameters.widths(c_in, out) if isinstance(parameters, RampSpec) else parameters
    return EntropyTransformSpec.model_construct(
        type="entropy_transform", widths=widths, out=out, kernel=1, activation=activation
    )


def read_spatial_context(view: View, tag: str) -> Reading | None:
    """A leaf of kind `tag`, as the masked convolution and the net after it tell it."""
    masked, net = view.dims("context_prediction.weight", 4), read_transform(view.below("entropy_parameters"))
    if not masked or net is None:
        return None
    _, channels, kernel, _ = masked
    told = {"kernel": view.told(kernel, "context_prediction.weight"), "parameters": net.widths}
    return Reading(view.path, tag, channels, channels, told, params=net.c_in - 2 * channels, first=view.first)
