"""How many channels a slice's nets see, and how many slices a checkpoint has: for those who compose codecs in Python.

These count equal slices under the clamp that keeps the first slices, as STF, WACNN and TCM have them; the compiler
counts any slices and supports in its plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor

from codecspec.schema.errors import CheckpointError


def slice_support_channels(latent_channels: int, slice_channels: int, index: int, max_support_slices: int) -> int:
    """Channels that the heads of slice `index` see: their half of the side parameters and the earlier slices.

    Args:
        latent_channels: channels of that half, which are those of y.
        slice_channels: channels of a slice.
        index: which slice, counted from 0.
        max_support_slices: at most so many earlier slices are seen; all with -1.
    """
    seen = index if max_support_slices < 0 else min(index, max_support_slices)
    return latent_channels + slice_channels * seen


def lrp_support_channels(latent_channels: int, slice_channels: int, index: int, max_support_slices: int) -> int:
    """Channels that the LRP of slice `index` sees: what its heads see, and the slice itself."""
    support = slice_support_channels(latent_channels, slice_channels, index, max_support_slices)
    return support + slice_channels


def infer_num_slices(state_dict: Mapping[str, Tensor], *, prefix: str, suffix: str) -> int:
    """How many slices a checkpoint has: the keys `prefix`k`suffix` for k = 0, 1, ..

    Args:
        state_dict: a checkpoint's tensors.
        prefix: what stands before the slice's number, e.g. `cc_mean_transforms`, with or without the dot after it.
        suffix: what stands after it, e.g. `0.weight`, with or without the dot before it.

    Raises:
        CheckpointError: there is no such key, or a number is left out.
    """
    numbers = _numbered(state_dict, prefix, suffix).keys()
    if numbers != set(range(len(numbers))) or not numbers:
        message = f"the keys {prefix}k{suffix} should count k = 0, 1, ..; found k = {sorted(numbers)}"
        raise CheckpointError("E-tensors", f"{prefix}0{suffix}", message)
    return len(numbers)


def infer_max_support_slices(
    state_dict: Mapping[str, Tensor],
    latent_channels: int,
    num_slices: int,
    *,
    prefix: str = "cc_mean_transforms.",
    suffix: str = ".0.weight",
) -> int:
    """The clamp on earlier slices, from the widths of the heads; -1 where no slice is clamped.

    Args:
        state_dict: a checkpoint's tensors.
        latent_channels: channels of y.
        num_slices: how many slices it has, all equal.
        prefix: what stands before the slice's number in the key of a head's first weight; see `infer_num_slices`.
        suffix: what stands after it.

    Raises:
        CheckpointError: a head is missing, or its width is not that of whole slices.
    """
    slice_channels = latent_channels // num_slices
    keys = _numbered(state_dict, prefix, suffix)
    seen: list[int] = []
    for k in range(num_slices):
        if k not in keys:
            message = "missing: the first weight of each slice's head is needed"
            raise CheckpointError("E-tensors", f"{prefix}{k}{suffix}", message)
        key = keys[k]
        slices, rest = divmod(state_dict[key].shape[1] - latent_channels, slice_channels)
        if rest or not 0 <= slices <= k:
            message = f"{state_dict[key].shape[1]} channels are not {latent_channels} and whole slices before slice {k}"
            raise CheckpointError("E-tensors", key, message)
        seen.append(slices)
    return -1 if seen == list(range(num_slices)) else max(seen)


def _numbered(keys: Iterable[str], prefix: str, suffix: str) -> dict[int, str]:
    """k -> the key `prefix`k`suffix`, the dots around k in it or not."""
    inside = [key for key in keys if key.startswith(prefix) and key.endswith(suffix)]
    numbers = {key: key[len(prefix) : len(key) - len(suffix)].strip(".") for key in inside}
    return {int(number): key for key, number in numbers.items() if number.isdecimal()}
