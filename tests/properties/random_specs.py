"""Whole valid specs, drawn over every kind of node.

Channels and resolutions are kept by construction: a row of blocks is drawn freely and then closed by blocks that bring
it to the channels and the resolution that its neighbours need.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import prod
from typing import Any

from hypothesis import strategies as st

Spec = dict[str, Any]
Blocks = list[Spec]

MAX_CHANNELS = 24
CHANNELS = st.integers(1, MAX_CHANNELS)
KERNELS = st.sampled_from([1, 3, 5])
ACTIVATIONS: tuple[Spec, ...] = (
    {"type": "relu"},
    {"type": "gelu"},
    {"type": "abs"},
    {"type": "leaky_relu", "slope": 0.2},
)


class Drawn:
    """Draws parts of a spec."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self.draw = draw

    def one(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def number(self, least: int, most: int) -> int:
        return int(self.draw(st.integers(least, most)))

    def yes(self) -> bool:
        return bool(self.draw(st.booleans()))

    def widths(self, most: int = 2) -> list[int]:
        return [self.draw(CHANNELS) for _ in range(self.number(0, most))]

    def divisor(self, number: int) -> int:
        return int(self.one(*(d for d in range(1, number + 1) if number % d == 0)))

    def maybe(self, **fields: Any) -> Spec:
        """Some of the fields; the others are left to their defaults."""
        return {name: value for name, value in fields.items() if self.yes()}

    # blocks

    def window(self) -> Spec:
        window = self.number(1, 5)
        return {"window": window, "shift": self.number(0, window - 1)}

    def block(self, channels: int, depth: int) -> tuple[Spec, int, Fraction]:
        """A block for these channels, the channels that it gives, and its scale."""
        even = ("window_gate", "conv_trans", "patch_split") if channels % 2 == 0 else ()
        halved = ("residual_bottleneck", "attention") if channels > 1 else ()
        merged = ("patch_merge",) if channels <= MAX_CHANNELS else ()
        nested = ("sequence",) if depth else ()
        tag = self.one("conv", "deconv", "subpel", "gdn", "activation", "residual", "residual_stride", "swin", "naf",
                       "residual_upsample", "patch_embed", *even, *halved, *merged, *nested)  # fmt: skip
        out = self.draw(CHANNELS) if self.yes() else channels
        match tag:
            case "activation":
                return self.one(*ACTIVATIONS), channels, Fraction(1)
            case "gdn":
                return {"type": tag, "inverse": self.yes()}, channels, Fraction(1)
            case "conv":
                stride = self.number(1, 3)
                return (
                    {"type": tag, "out": out, "kernel": self.draw(KERNELS), "stride": stride},
                    out,
                    Fraction(1, stride),
                )
            case "deconv":
                stride = self.number(1, 3)
                return {"type": tag, "out": out, "kernel": self.draw(KERNELS), "stride": stride}, out, Fraction(stride)
            case "subpel":
                factor = self.number(1, 3)
                return {"type": tag, "out": out, "kernel": self.draw(KERNELS), "factor": factor}, out, Fraction(factor)
            case "residual":
                return {"type": tag, "out": out}, out, Fraction(1)
            case "residual_stride":
                stride = self.number(1, 3)
                return {"type": tag, "out": out, "stride": stride}, out, Fraction(1, stride)
            case "residual_upsample":
                factor = self.number(1, 3)
                return {"type": tag, "out": out, "factor": factor}, out, Fraction(factor)
            case "window_gate":
                return {"type": tag, "heads": self.divisor(channels), **self.window()}, channels, Fraction(1)
            case "conv_trans":
                return {"type": tag, "head_dim": self.divisor(channels // 2), **self.window()}, channels, Fraction(1)
            case "swin":
                drop = self.maybe(drop_path={"last": 0.2, "block": 1, "of": 3})
                said = {"heads": self.divisor(channels), **self.window(), "mlp_ratio": self.number(1, 4), **drop}
                return {"type": tag, **said}, channels, Fraction(1)
            case "patch_embed":
                patch = self.number(1, 3)
                return {"type": tag, "out": out, "patch": patch}, out, Fraction(1, patch)
            case "patch_merge":
                return {"type": tag}, 2 * channels, Fraction(1, 2)
            case "patch_split":
                return {"type": tag}, channels // 2, Fraction(2)
            case "sequence":
                blocks, out, scale = self.blocks(channels, depth - 1, least=1)
                return {"type": tag, "blocks": blocks}, out, scale
            case _:
                return {"type": tag}, channels, Fraction(1)

    def blocks(self, channels: int, depth: int, least: int = 0) -> tuple[Blocks, int, Fraction]:
        """Blocks in a row, some of them in repeats; the channels they give and their scale."""
        row: Blocks = []
        scale = Fraction(1)
        for _ in range(self.number(least, 3)):
            block, out, by = self.block(channels, depth)
            if out == channels and by == 1 and self.one(True, False, False):
                block = {"repeat": {"count": self.number(0 if least == 0 else 1, 3), "blocks": [block]}}
            row.append(block)
            channels, scale = out, scale * by
        return row, channels, scale

    def row(self, channels: int, out: int, wanted: Fraction) -> Blocks:
        """A transform from `channels` to `out` channels of this scale."""
        row, channels, scale = self.blocks(channels, depth=2, least=self.number(0, 1))
        ratio = wanted / scale
        kernel = self.draw(KERNELS)
        for stride in _factors(ratio.denominator):
            row.append({"type": "conv", "out": channels, "kernel": kernel, "stride": stride})
        for factor in _factors(ratio.numerator):
            block = self.one({"type": "deconv", "stride": factor}, {"type": "subpel", "factor": factor})
            row.append({**block, "out": channels, "kernel": kernel})
        if channels != out or not any(block.get("repeat", {"count": 1})["count"] for block in row):
            row.append({"type": self.one("conv", "deconv"), "out": out, "kernel": kernel})
        if self.one(True, False, False, False):
            row.append(self.one(*ACTIVATIONS))
        return row

    # latent codecs

    def quantizer(self) -> Spec:
        return self.maybe(quantizer=self.one("noise", "ste"))

    def order(self) -> Spec:
        return {"chunks": list(self.one(("scales", "means"), ("means", "scales")))}

    def parameters(self) -> Spec:
        ramp = {"ramp": self.number(1, 3), "min": self.number(0, 12)}
        return {"parameters": ramp if self.yes() else self.widths()}

    def spatial_leaf(self) -> Spec:
        if self.yes():
            return {"type": "raster_scan", "kernel": self.draw(KERNELS), **self.parameters(), **self.order()}
        parity = self.maybe(parity=self.one("even", "odd"))
        said = {"kernel": self.draw(KERNELS), **self.parameters(), **self.order()}
        return {"type": "checkerboard", **said, **parity, **self.quantizer()}

    def leaf(self, *, mean_scale: bool, gaussian: bool) -> Spec:
        """A leaf for some slices, after a head of this kind."""
        if mean_scale and self.yes():
            return {"type": "lrp_gaussian", "widths": self.widths(), "lrp_scale": 0.25, **self.quantizer()}
        if not gaussian or self.yes():
            return self.spatial_leaf()
        return {"type": "gaussian", **({} if mean_scale else self.order()), **self.quantizer()}

    def leaves(self, num_slices: int, *, mean_scale: bool, gaussian: bool) -> Any:
        """One leaf for all slices, or runs of them."""
        if self.yes():
            return self.leaf(mean_scale=mean_scale, gaussian=gaussian)
        first = self.number(0, num_slices)
        runs = [{**self.leaf(mean_scale=mean_scale, gaussian=gaussian), "count": first}]
        return [*runs, self.leaf(mean_scale=mean_scale, gaussian=gaussian)]

    def support(self, num_slices: int) -> Spec:
        form = self.one("all", "first", "recent", "first_and_recent", "skip_most_recent", "slices")
        if form in ("first", "recent"):
            return {"filter": form, "max": self.number(0, num_slices + 1)}
        if form != "slices":
            return {"filter": form}
        subsets = [st.permutations(range(k)).flatmap(_prefixes) for k in range(num_slices)]
        return {"slices": [self.draw(subset) for subset in subsets]}

    def mean_scale(self, leaves: Any) -> Spec:
        reads = any(leaf["type"] == "lrp_gaussian" for leaf in (leaves if isinstance(leaves, list) else [leaves]))
        width = 2 * self.number(1, 4)
        transform = self.one(
            None,
            {"type": "sw_atten", "width": width, "head_dim": self.divisor(width), "window": self.number(1, 4)},
            {"type": "naf_transform", "width": width, "depth": self.number(1, 3)},
        )
        emit = self.one("pre", "post") if reads else self.one("pre", "post", "none")
        return {"type": "mean_scale", "widths": self.widths(), "transform": transform, "emit_mean_support": emit}

    def groups(self, channels: int) -> tuple[Any, int]:
        """Groups in any form, and how many there are."""
        form = self.one("equal", "proportions", "widths")
        if form == "equal":
            count = min(self.divisor(channels), 6)
            return ({"equal": count}, count) if channels % count == 0 else ({"equal": 1}, 1)
        cuts = sorted({self.number(1, channels) for _ in range(self.number(0, 4))} | {channels})
        widths = [after - before for before, after in zip([0, *cuts], cuts, strict=False)]
        if form == "proportions" and len(widths) > 1:
            return {"proportions": widths}, len(widths)
        return widths, len(widths)

    def channel_groups(self, channels: int) -> tuple[Spec, int, int]:
        """Channel groups, the side parameters that they take, and how many slices there are."""
        groups, num_slices = self.groups(channels)
        said = {"type": "channel_groups", "groups": groups, "support": self.support(num_slices)}
        side = 2 * self.number(1, MAX_CHANNELS // 2)
        if self.yes():
            leaves = self.leaves(num_slices, mean_scale=True, gaussian=True)
            return (
                {**said, "side_in_context": True, "context": self.mean_scale(leaves), "leaf": leaves},
                side,
                num_slices,
            )
        inside = self.yes()
        leaves = self.leaves(num_slices, mean_scale=False, gaussian=inside)
        context = {"type": "channel_conv", "widths": self.widths(), "kernel": self.draw(KERNELS)}
        return {**said, "side_in_context": inside, "context": context, "leaf": leaves}, side, num_slices

    def y(self, channels: int, dual: bool) -> tuple[Spec, int, int]:
        """How y is coded, the side parameters that it takes, and how many slices there are (0 without any)."""
        match self.one("gaussian", "spatial", "groups", "groups"):
            case "gaussian" if dual:
                return {"type": "gaussian", "chunks": ["means", "scales"], **self.quantizer()}, 2 * channels, 0
            case "gaussian":
                chunks = self.one(["scales"], ["scales", "means"], ["means", "scales"])
                return {"type": "gaussian", "chunks": chunks, **self.quantizer()}, len(chunks) * channels, 0
            case "spatial":
                return self.spatial_leaf(), 2 * self.number(1, MAX_CHANNELS // 2), 0
            case _:
                return self.channel_groups(channels)

    def aux(self, num_slices: int) -> Spec:
        leaves = self.leaves(num_slices, mean_scale=True, gaussian=True)
        return {"cca": {"support": self.support(num_slices), "context": self.mean_scale(leaves), "leaf": leaves}}

    def hyperprior(self, channels: int) -> tuple[Spec, Spec]:
        """A hyperprior of y, and what stands beside it in the spec."""
        hyper, stride, dual = self.draw(CHANNELS), self.one(1, 2, 3, 4), self.yes()
        y, side, num_slices = self.y(channels, dual)
        up = Fraction(stride)
        h_s: Any
        if not dual:
            h_s = self.row(hyper, side, up)
        else:
            h_s = {"type": "dual", "mean": self.row(hyper, side // 2, up), "scale": self.row(hyper, side // 2, up)}
        aux = {"aux": self.aux(num_slices)} if num_slices and self.yes() else {}
        z = {"type": "entropy_bottleneck", **self.quantizer()}
        h_a = self.row(channels, hyper, 1 / up)
        return {"type": "hyperprior", "h_a": h_a, "h_s": h_s, "z": z, "y": y}, aux

    def spec(self) -> Spec:
        image, latent, stride = self.number(1, 4), self.draw(CHANNELS), self.one(1, 2, 3, 4, 8, 16)
        head = {"codecspec": 1, "name": "drawn", "in_channels": image}
        transforms = {
            "g_a": self.row(image, latent, Fraction(1, stride)),
            "g_s": self.row(latent, image, Fraction(stride)),
        }
        if self.one(True, False, False, False):
            y = {"type": "entropy_bottleneck", **self.quantizer()}
            return {**head, **transforms, "latent_codec": {"type": "factorized", "y": y}}
        latent_codec, aux = self.hyperprior(latent)
        return {**head, **transforms, "latent_codec": latent_codec, **aux}


def _factors(number: int) -> list[int]:
    """Strides that multiply to `number`, none above what a field takes."""
    factors: list[int] = []
    for prime in (2, 3, 5, 7):
        while number % prime == 0:
            factors.append(prime)
            number //= prime
    small = [prod(factors[i : i + 2]) for i in range(0, len(factors), 2)]
    return small if number == 1 else [*small, number]


def _prefixes(order: list[int]) -> st.SearchStrategy[list[int]]:
    return st.integers(0, len(order)).map(lambda length: list(order[:length]))


@st.composite
def specs(draw: Callable[[st.SearchStrategy[Any]], Any]) -> Spec:
    """A whole spec, as a file would write it."""
    return Drawn(draw).spec()
