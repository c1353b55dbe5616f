"""Where the bits of a stream go, next to what the likelihoods say they should be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from codecspec.runtime.coding_tables import coding_tables, gaussian_indexes
from codecspec.runtime.compressai_classes import EntropyBottleneck, EntropyModel, GaussianConditional
from codecspec.runtime.latent_codecs.symbol_coder import Scales, SymbolCoder, Symbols, Turn, medians_of
from codecspec.runtime.latent_codecs.symbols import LatentPart
from codecspec.runtime.streams.chunk_coder import side_bytes
from codecspec.runtime.streams.container import Stream

LEAST_LIKELIHOOD = 1e-9
"""As CompressAI bounds likelihoods in its forward passes."""
STALE = 1.05
"""Tables that cost more than this much of the likelihoods are not those of their density."""
FEW_BITS = 512


@dataclass(frozen=True, slots=True)
class PartRate:
    """What the symbols of one part cost.

    Args:
        num_symbols: of the part.
        likelihood_bits: sum of -log2 of the likelihoods.
        table_bits: sum of -log2 of the intervals in the coding tables, those of escapes with it.
        num_escapes: symbols outside their table, which the coder writes by themselves.
        escape_bits: what the likelihoods say of those.
    """

    num_symbols: int
    likelihood_bits: float
    table_bits: float
    num_escapes: int
    escape_bits: float


class RateMeter(SymbolCoder):
    """Passes everything on to another coder, and takes down what it costs in `rates`, part by part."""

    def __init__(self, inner: SymbolCoder, rates: list[PartRate]) -> None:
        self._inner = inner
        self.rates = rates

    @property
    def num_images(self) -> int:
        return self._inner.num_images

    def code_under_scales(
        self, part: str, model: GaussianConditional, scales: Scales, symbols: Symbols | None
    ) -> Symbols:
        coded = self._inner.code_under_scales(part, model, scales, symbols)
        self._take_down(model, coded[0], gaussian_indexes(model, scales[0]), _gaussian(model, coded[0], scales[0]))
        return coded

    def code_by_channel(
        self, part: str, model: EntropyBottleneck, channels: Symbols, symbols: Symbols | None
    ) -> Symbols:
        coded = self._inner.code_by_channel(part, model, channels, symbols)
        self._take_down(model, coded[0], channels, _factorized(model, coded[0]))
        return coded

    def turns(self, part: str, model: GaussianConditional, num_images: int) -> Iterator[Turn]:
        for turn in self._inner.turns(part, model, num_images):
            metered = _MeteredTurn(turn)
            yield metered
            symbols, scales = np.concatenate(metered.symbols), np.concatenate(metered.scales)
            self._take_down(model, symbols, gaussian_indexes(model, scales), _gaussian(model, symbols, scales))

    def _take_down(self, model: EntropyModel, symbols: Symbols, rows: Symbols, likelihoods: Tensor) -> None:
        tables = coding_tables(model)
        values = symbols.astype(np.int64) - tables.offsets[rows]
        outside = (values < 0) | (values >= tables.escapes[rows])
        at = tables.starts[rows] + np.where(outside, tables.escapes[rows], values)
        counts = (tables.entries[at] & np.uint64(0xFFFF)).astype(np.float64)
        bits = -likelihoods.detach().double().flatten().clamp_min(LEAST_LIKELIHOOD).log2().cpu().numpy()
        table_bits = float((16 - np.log2(counts)).sum())
        rate = PartRate(len(symbols), float(bits.sum()), table_bits, int(outside.sum()), float(bits[outside].sum()))
        self.rates.append(rate)


class _MeteredTurn(Turn):
    def __init__(self, inner: Turn) -> None:
        self._inner = inner
        self.symbols: list[Symbols] = []
        self.scales: list[Scales] = []

    def code(self, scales: Scales, symbols: Symbols | None) -> Symbols:
        self.symbols.append(self._inner.code(scales, symbols))
        self.scales.append(scales)
        return self.symbols[-1]


def rates_described(stream: Stream, rates: Sequence[PartRate], parts: Sequence[LatentPart]) -> list[str]:
    """A line for each chunk, and where the file is larger than its likelihoods say.

    Args:
        stream: a coded image.
        rates: what a `RateMeter` took down while it was written or read.
        parts: the parts of its latent, as `Codec.parts` says them.
    """
    lines = [f"  {'part':30}{'symbols':>11}{'likelihoods':>13}{'tables':>13}{'escapes':>9}{'coded':>11}{'checks':>9}"]
    sides = [side_bytes(part, stream.header.profile) for part in parts]
    for label, rate, chunk, side in zip(stream.labels(), rates, stream.chunks, sides, strict=True):
        coded = len(chunk.data) - side
        lines.append(
            f"  {label:30}{rate.num_symbols:>11,}{rate.likelihood_bits / 8:>11,.0f} B{rate.table_bits / 8:>11,.0f} B"
            f"{rate.num_escapes:>9,}{coded:>9,} B{side:>7,} B"
        )
    return [*lines, *_gap(stream, rates, sum(sides)), *_stale(stream, rates)]


def _gap(stream: Stream, rates: Sequence[PartRate], sides: int) -> list[str]:
    expected = sum(rate.likelihood_bits for rate in rates) / 8
    tables = sum(rate.table_bits for rate in rates) / 8
    coded = sum(len(chunk.data) for chunk in stream.chunks) - sides
    escapes = sum(rate.num_escapes for rate in rates)
    causes = {
        "coding tables": tables - expected,
        f"the values of {escapes:,} escapes, and the coder" if escapes else "the coder": coded - tables,
        "syndromes and checks": sides,
        "header and chunk table": stream.overhead_bytes,
    }
    total = coded + sides + stream.overhead_bytes
    said = ", ".join(f"{cause} {added:+,.0f} B" for cause, added in causes.items())
    return [f"  {total:,} bytes for likelihoods of {expected:,.0f} ({_percent(total, expected)}): {said}"]


def _stale(stream: Stream, rates: Sequence[PartRate]) -> list[str]:
    found = [
        label
        for label, rate in zip(stream.labels(), rates, strict=True)
        if rate.table_bits > STALE * rate.likelihood_bits + FEW_BITS
    ]
    if not found:
        return []
    many = f"{', '.join(found[:3])}{' and more' if len(found) > 3 else ''}"
    return [
        f"  the coding tables of {many} are not those of its density: they are older than the weights, or too narrow"
    ]


def _percent(total: float, expected: float) -> str:
    return f"{100 * (total / expected - 1):+.1f} %" if expected else "nothing was expected"


def _gaussian(model: GaussianConditional, symbols: Symbols, scales: Scales) -> Tensor:
    device = model.lower_bound_scale.bound.device
    values = torch.from_numpy(symbols).to(device, torch.float32)
    likelihoods: Tensor = model._likelihood(values, torch.from_numpy(scales).to(device))
    return likelihoods


@torch.no_grad()
def _factorized(model: EntropyBottleneck, symbols: Symbols) -> Tensor:
    medians = medians_of(model).view(-1, 1, 1)
    values = torch.from_numpy(symbols).to(medians.device, medians.dtype).reshape(model.channels, 1, -1) + medians
    likelihoods: Tensor = model._likelihood(values)[0]
    return likelihoods
