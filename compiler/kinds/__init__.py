"""Every kind of node, by its tag. A new kind is added here, explicitly."""

from __future__ import annotations

from typing import Any

from codecspec.compiler.kind import ConditionalKind, ContextKind, Kind
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
from codecspec.schema.fields import SpecModel

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
