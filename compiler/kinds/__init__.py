"""Every kind of node, by its tag. A new kind is added here, explicitly."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_args

from codecspec.compiler.kind import BlockKind, ConditionalKind, ContextKind, Kind, LatentKind
from codecspec.compiler.kinds.abs import Abs
from codecspec.compiler.kinds.attention import Attention
from codecspec.compiler.kinds.cca import CCA
from codecspec.compiler.kinds.channel_conv import ChannelConv
from codecspec.compiler.kinds.channel_groups import ChannelGroups
from codecspec.compiler.kinds.checkerboard import Checkerboard
from codecspec.compiler.kinds.conv import Conv
from codecspec.compiler.kinds.conv_trans import ConvTrans
from codecspec.compiler.kinds.deconv import Deconv
from codecspec.compiler.kinds.dual import Dual
from codecspec.compiler.kinds.entropy_bottleneck import EntropyBottleneck
from codecspec.compiler.kinds.entropy_transform import EntropyTransform
from codecspec.compiler.kinds.factorized import Factorized
from codecspec.compiler.kinds.gaussian import Gaussian
from codecspec.compiler.kinds.gdn import GDN
from codecspec.compiler.kinds.gelu import GELU
from codecspec.compiler.kinds.hyperprior import Hyperprior
from codecspec.compiler.kinds.leaky_relu import LeakyReLU
from codecspec.compiler.kinds.lrp_gaussian import LRPGaussian
from codecspec.compiler.kinds.mean_scale import MeanScale
from codecspec.compiler.kinds.naf import NAF
from codecspec.compiler.kinds.naf_transform import NAFTransform
from codecspec.compiler.kinds.patch_embed import PatchEmbed
from codecspec.compiler.kinds.patch_merge import PatchMerge
from codecspec.compiler.kinds.patch_split import PatchSplit
from codecspec.compiler.kinds.raster_scan import RasterScan
from codecspec.compiler.kinds.relu import ReLU
from codecspec.compiler.kinds.residual import Residual
from codecspec.compiler.kinds.residual_bottleneck import ResidualBottleneck
from codecspec.compiler.kinds.residual_stride import ResidualStride
from codecspec.compiler.kinds.residual_upsample import ResidualUpsample
from codecspec.compiler.kinds.sequence import Sequence
from codecspec.compiler.kinds.subpel import Subpel
from codecspec.compiler.kinds.sw_atten import SWAtten
from codecspec.compiler.kinds.swin import Swin
from codecspec.compiler.kinds.window_gate import WindowGate
from codecspec.compiler.reading import Reading, View
from codecspec.schema.blocks import BlockSpec
from codecspec.schema.channel_groups import ContextSpec
from codecspec.schema.fields import SpecModel
from codecspec.schema.latents import LatentCodecSpec, YSpec
from codecspec.schema.leaves import SliceLeafSpec
from codecspec.schema.support_transforms import SupportTransformSpec

_ALL: tuple[Kind[Any], ...] = (
    Conv(),
    Deconv(),
    Subpel(),
    GDN(),
    ReLU(),
    LeakyReLU(),
    GELU(),
    Abs(),
    Residual(),
    ResidualStride(),
    ResidualUpsample(),
    ResidualBottleneck(),
    Attention(),
    WindowGate(),
    ConvTrans(),
    Swin(),
    PatchEmbed(),
    PatchMerge(),
    PatchSplit(),
    NAF(),
    SWAtten(),
    NAFTransform(),
    Sequence(),
    Hyperprior(),
    Factorized(),
    Dual(),
    EntropyBottleneck(),
    ChannelGroups(),
    MeanScale(),
    ChannelConv(),
    EntropyTransform(),
    Gaussian(),
    LRPGaussian(),
    CCA(),
    Checkerboard(),
    RasterScan(),
)
KINDS: dict[str, Kind[Any]] = {kind.tag(): kind for kind in _ALL}


def kind_of(spec: SpecModel) -> Kind[Any]:
    """The kind of a spec, by its `type`."""
    tag: str = spec.type  # type: ignore[attr-defined]  # every kind's `spec_type` has one; the base has not
    return KINDS[tag]


def conditional_kind_of(spec: SpecModel) -> ConditionalKind[Any]:
    """The kind of a spec that codes a latent given parameters."""
    kind = kind_of(spec)
    if not isinstance(kind, ConditionalKind):
        raise TypeError(f"{kind.tag()} codes no latent")
    return kind


def context_kind_of(spec: SpecModel) -> ContextKind[Any]:
    """The kind of a spec that makes parameters out of a support."""
    kind = kind_of(spec)
    if not isinstance(kind, ContextKind):
        raise TypeError(f"{kind.tag()} is no context head")
    return kind


def context_kind(tag: str) -> ContextKind[Any]:
    """The kind of context head that is called `tag`."""
    kind = KINDS[tag]
    if not isinstance(kind, ContextKind):
        raise TypeError(f"{tag} is no context head")
    return kind


def _kinds_in(union: Any) -> tuple[Kind[Any], ...]:
    """The kinds of the specs of a union, in its order."""
    first = get_args(union)[0]
    return tuple(KINDS[get_args(spec.model_fields["type"].annotation)[0]] for spec in get_args(first) or (first,))


_BLOCKS = tuple(kind for kind in _kinds_in(BlockSpec) if isinstance(kind, (BlockKind, Sequence)))
_SUPPORT_TRANSFORMS = tuple(kind for kind in _kinds_in(SupportTransformSpec) if isinstance(kind, BlockKind))
_CONTEXTS = tuple(kind for kind in _kinds_in(ContextSpec) if isinstance(kind, ContextKind))
_LEAVES = tuple(kind for kind in _kinds_in(SliceLeafSpec) if isinstance(kind, ConditionalKind))
_YS = tuple(kind for kind in _kinds_in(YSpec) if isinstance(kind, ConditionalKind))
_LATENT_CODECS = tuple(kind for kind in _kinds_in(LatentCodecSpec) if isinstance(kind, LatentKind))


def block_readings(view: View) -> list[Reading]:
    """The blocks that may own the tensors of `view`; those that are not understood in full only where no other is."""
    found = [reading for kind in _BLOCKS for reading in kind.readings(view)]
    whole = [reading for reading in found if not ("blocks" in reading.parts and reading.parts["blocks"].unread)]
    return whole or found


def read_support_transform(view: View) -> Reading | None:
    """The transform of a support that owns the tensors of `view`."""
    return next((reading for kind in _SUPPORT_TRANSFORMS for reading in kind.readings(view)), None)


def read_context(view: View) -> Reading | None:
    """The head of a slice that owns the tensors of `view`."""
    return _first(kind.read_context(view) for kind in _CONTEXTS)


def read_leaf(view: View, channels: int | None, params: int | None) -> Reading | None:
    """The leaf of a slice that owns the tensors of `view`; see `ConditionalKind.read_conditional`."""
    return _first(kind.read_conditional(view, channels, params) for kind in _LEAVES)


def read_y(view: View, channels: int | None, params: int | None) -> Reading | None:
    """The codec of y that owns the tensors of `view`; see `ConditionalKind.read_conditional`."""
    return _first(kind.read_conditional(view, channels, params) for kind in _YS)


def read_latent_codec(view: View, channels: int | None) -> Reading | None:
    """The latent codec that owns the tensors of `view`; see `LatentKind.read_latent`."""
    return _first(kind.read_latent(view, channels) for kind in _LATENT_CODECS)


def _first(readings: Iterable[Reading | None]) -> Reading | None:
    return next((reading for reading in readings if reading is not None), None)
