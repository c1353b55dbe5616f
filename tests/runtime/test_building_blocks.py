"""The building blocks by themselves: a WACNN-like codec of y composed in Python is the compiler's."""

from __future__ import annotations

import inspect

import pytest
import torch
from compressai.models.sensetime import Elic2022Official
from torch import Tensor, nn

from codecspec import runtime
from codecspec.runtime import (
    ChannelGroupsLatentCodec,
    LRPGaussianLatentCodec,
    build_channel_slice_codec,
    build_mean_scale_head,
    infer_max_support_slices,
    infer_num_slices,
    lrp_support_channels,
    make_entropy_transform,
    slice_support_channels,
)
from codecspec.schema.errors import CheckpointError
from tests.golden import golden_models
from tests.runtime.small_codecs import SMALL, small


def composed(m: int, slices: int, clamp: int, side: int) -> ChannelGroupsLatentCodec:
    """What `specs/wacnn.yaml` says of y, in Python."""
    widths = [224, 176, 128, 64]

    def head(k: int, channels: int, support: int) -> nn.Module:
        return build_mean_scale_head(channels, support, widths=widths, side_split=side // 2, emit_mean_support="pre")

    def leaf(k: int, channels: int, support: int) -> nn.Module:
        lrp = make_entropy_transform(support + channels, channels, widths=widths)
        return LRPGaussianLatentCodec(lrp, mean_support_trail_channels=support)

    return build_channel_slice_codec(
        groups=[m // slices] * slices,
        leaf_factory=leaf,
        channel_context_factory=head,
        max_support_slices=clamp,
        side_in_context=True,
        side_channels=side // 2,
    )


def test_a_composed_codec_is_the_compiled_one() -> None:
    compiled = small("wacnn").latent_codec.y
    ours = composed(40, 5, 3, 80).eval()
    ours.load_state_dict(compiled.state_dict(), strict=True)
    generator = torch.Generator().manual_seed(1)
    y, side = torch.randn(1, 40, 8, 8, generator=generator) * 3, torch.randn(1, 80, 8, 8, generator=generator)
    with torch.no_grad():
        expected, found = compiled(y, side), ours(y, side)
    assert torch.equal(found["y_hat"], expected["y_hat"])
    assert torch.equal(found["likelihoods"]["y"], expected["likelihoods"]["y"])


def test_counts_of_a_canonical_checkpoint() -> None:
    state = small("wacnn").state_dict()
    heads = {"prefix": "latent_codec.y.channel_context.y", "suffix": "mean_cc.0.weight"}
    assert infer_num_slices(state, **heads) == SMALL["wacnn"]["slices"]
    assert infer_max_support_slices(state, SMALL["wacnn"]["M"], SMALL["wacnn"]["slices"], **heads) == 3


def test_a_filter_is_counted_by_running_it() -> None:
    seen: dict[int, int] = {}

    def leaf(k: int, channels: int, support: int) -> nn.Module:
        seen[k] = support
        return nn.Identity()

    def last_two(k: int, prior: list[Tensor]) -> list[Tensor]:
        return prior[-2:]

    arguments = {"groups": [1, 2, 4, 8], "leaf_factory": leaf, "channel_context_factory": lambda *_: None}
    codec = build_channel_slice_codec(**arguments, support_filter=last_two)
    assert seen == {0: 0, 1: 1, 2: 3, 3: 6}
    assert len(codec.channel_context) == 0
    build_channel_slice_codec(**arguments, support_count_fn=lambda k: min(k, 1), side_channels=10)
    assert seen == {0: 10, 1: 11, 2: 11, 3: 11}


@pytest.mark.parametrize(("name", "slices", "clamp"), [("wacnn", 10, 5), ("stf", 12, 6), ("tcm", 5, -1)])
def test_counts_are_those_of_the_published_checkpoints(name: str, slices: int, clamp: int) -> None:
    golden = golden_models.read(name)
    state = {key: torch.empty(shape, device="meta") for key, (_, shape) in golden["state_dict"].items()}
    latent = len(golden["outputs"]["y_bits_per_channel"])
    prefix, suffix = "cc_mean_transforms.", ".0.weight"
    assert infer_num_slices(state, prefix=prefix, suffix=suffix) == slices
    assert infer_num_slices(state, prefix="lrp_transforms", suffix="0.weight") == slices
    assert infer_max_support_slices(state, latent, slices) == clamp
    for k in range(slices):
        width = latent // slices
        assert state[f"{prefix}{k}{suffix}"].shape[1] == slice_support_channels(latent, width, k, clamp)
        assert state[f"lrp_transforms.{k}.0.weight"].shape[1] == lrp_support_channels(latent, width, k, clamp)


def test_compressais_own_leaves_and_contexts_stand_in_our_groups() -> None:
    """ELIC's, whose shapes are (C, H, W): what CompressAI's container makes of them, and each decodes the other's."""
    theirs = golden_models.fill(Elic2022Official(N=12, M=24, groups=[3, 5, 4, 12]).eval())
    theirs.update()
    reference = theirs.latent_codec["y"]
    ours = ChannelGroupsLatentCodec(
        dict(reference.latent_codec.items()), dict(reference.channel_context.items()), groups=reference.groups
    )
    generator = torch.Generator().manual_seed(1)
    y, side = torch.randn(2, 24, 8, 6, generator=generator) * 3, torch.randn(2, 24, 8, 6, generator=generator)
    with torch.no_grad():
        expected, found = reference(y, side), ours(y, side)
        assert torch.equal(found["y_hat"], expected["y_hat"])
        assert torch.equal(found["likelihoods"]["y"], expected["likelihoods"]["y"])
        coded = ours.compress(y, side)
        assert coded["strings"] == reference.compress(y, side)["strings"]
        assert [len(shape) for shape in coded["shape"]] == [3] * 4
        for codec in (ours, reference):
            assert torch.equal(codec.decompress(coded["strings"], coded["shape"], side)["y_hat"], expected["y_hat"])


ISSUED = {
    "DualHyperSynthesis": "h_mean_s, h_scale_s",
    "LRPGaussianLatentCodec": "lrp_transform, *, lrp_scale=0.5, mean_support_trail_channels=0",
    "ChannelGroupsLatentCodec": "latent_codec, channel_context, *, groups, max_support_slices=-1, support_filter=None, "
    "support_slices=None, side_in_context=False",
    "MeanScaleContextHead": "mean_cc, scale_cc, mean_support_transform=None, scale_support_transform=None, *, "
    "side_split=0, emit_mean_support=False",
    "build_mean_scale_head": "slice_ch, support_ch, *, widths, support_transform_factory=None, side_split=0, "
    "emit_mean_support=False",
    "build_channel_slice_codec": "*, groups, leaf_factory, channel_context_factory, max_support_slices=-1, "
    "support_filter=None, support_count_fn=None, side_in_context=False, side_channels=0",
    "make_entropy_transform": "in_channels, out_channels, *, widths",
    "slice_support_channels": "latent_channels, slice_channels, index, max_support_slices",
    "lrp_support_channels": "latent_channels, slice_channels, index, max_support_slices",
    "infer_num_slices": "state_dict, *, prefix, suffix",
    "infer_max_support_slices": "state_dict, latent_channels, num_slices",
}
"""Names and arguments that others' code relies on; what may follow them is ours to add."""


def test_names_and_arguments_stay() -> None:
    assert sorted(runtime.__all__) == sorted(ISSUED)
    for name, arguments in ISSUED.items():
        parameters = inspect.signature(getattr(runtime, name)).parameters.values()
        bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters]
        assert str(inspect.Signature(bare)).startswith(f"({arguments}"), name


def test_counts_of_what_is_no_such_checkpoint_are_refused() -> None:
    state = {"h.0.weight": torch.zeros(1, 8, 1, 1), "h.2.weight": torch.zeros(1, 8, 1, 1), "h.x.weight": torch.zeros(1)}
    with pytest.raises(CheckpointError, match=r"found k = \[0, 2\]"):
        infer_num_slices(state, prefix="h.", suffix=".weight")
    with pytest.raises(CheckpointError, match=r"found k = \[\]"):
        infer_num_slices(state, prefix="g.", suffix=".weight")
    with pytest.raises(CheckpointError, match="missing"):
        infer_max_support_slices(state, 8, 2, prefix="h.", suffix=".weight")
    state["h.1.weight"] = torch.zeros(1, 9, 1, 1)
    with pytest.raises(CheckpointError, match="are not 8 and whole slices before slice 1"):
        infer_max_support_slices(state, 8, 2, prefix="h.", suffix=".weight")
