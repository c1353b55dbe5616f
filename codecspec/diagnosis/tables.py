"""Coding tables against the weights that they should come from, and quantiles against their target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from codecspec.compiler.build import build
from codecspec.compiler.checkpoints import Manifest, TensorInfo
from codecspec.compiler.checkpoints.manifest import Values
from codecspec.compiler.plan import Plan
from codecspec.diagnosis.finding import Finding, Verdict, several
from codecspec.runtime.coding_tables import TABLES, table_names
from codecspec.runtime.compressai_classes import EntropyBottleneck, EntropyModel
from codecspec.runtime.entropy_coding.tables import table_problem

if TYPE_CHECKING:
    import numpy
    from torch import Tensor

    from codecspec.runtime.codec import Codec

ROUNDING = 16
"""Counts of 65536 by which tables made on two machines may differ."""
TAIL = 1e-4
"""Mass outside of the quantiles from which a channel is off; the target is 1e-9."""
OFF_CENTRE = 0.05
"""Mass between a channel's median and its quantile 1/2 from which it is off."""
_REMAKE = "--repair OUT writes the file with tables made anew"


MARKS = (".quantiles", ".scale_table")
"""Beside a tensor of one of these names are an entropy model's coding tables, in every layout."""


def with_table_keys(manifest: Manifest) -> tuple[Manifest, tuple[str, ...]]:
    """The manifest, with empty coding tables where not even their keys are there; and those keys."""
    models = [key[: -len(mark)] for key in manifest for mark in MARKS if key.endswith(mark)]
    absent = tuple(key for model in models for name in TABLES if (key := f"{model}.{name}") not in manifest)
    if not absent:
        return manifest, ()
    infos = {**manifest, **dict.fromkeys(absent, TensorInfo("int32", (0,)))}
    return manifest.with_tensors(infos, _WithEmpty(manifest, absent)), absent


class _WithEmpty(Values):
    """The values of a manifest, and nothing under some more keys."""

    def __init__(self, manifest: Manifest, absent: tuple[str, ...]) -> None:
        self._manifest = manifest
        self._absent = absent

    def one(self, key: str) -> numpy.ndarray[Any, Any]:
        return torch.empty(0, dtype=torch.int32).numpy() if key in self._absent else self._manifest.values_of(key)

    def all(self) -> dict[str, Tensor]:
        return {**self._manifest.tensors(), **{key: torch.empty(0, dtype=torch.int32) for key in self._absent}}


def absent_findings(absent: tuple[str, ...]) -> list[Finding]:
    """What there is to say of the keys of tables that a file lacks."""
    if not absent:
        return []
    message = f"{len(absent)} keys of coding tables are not in the file, so it does not load: {several(list(absent))}"
    return [Finding("wrong", "tables", message, _REMAKE, absent)]


def with_fresh_tables(plan: Plan, tensors: Mapping[str, Tensor]) -> Codec:
    """The codec of these tensors, sharing their memory, with coding tables made of its weights.

    Scales of Gaussian tables that the tensors bring are kept: they are a choice, no consequence.
    """
    codec = build(plan, device="meta")
    made = {f"{path}.{name}" for path, _ in _models(codec) for name in TABLES}
    empty = {key: torch.empty(plan.manifest()[key].shape, dtype=torch.int32) for key in made}
    codec.load_state_dict({**tensors, **empty}, strict=True, assign=True)
    codec.prepare_tables()
    return codec


def tables_findings(codec: Codec, tensors: Mapping[str, Tensor], *, rounded: bool = False) -> list[Finding]:
    """What there is to say of the coding tables among `tensors`.

    Args:
        codec: the codec with tables made of its weights.
        tensors: canonical key -> tensor, as the file has them.
        rounded: the weights were rounded to half precision, maybe after the tables were made.
    """
    missing, broken, stale = [], [], {}
    models = _models(codec)
    for path, model in models:
        given = [tensors[f"{path}.{name}"].cpu() for name in TABLES]
        made = [getattr(model, name).cpu() for name in TABLES]
        if not any(table.numel() for table in given):
            missing.append(path)
        elif problem := _problem(given, len(made[0])):
            broken.append(f"{path} ({problem})")
        elif difference := _difference(given, made):
            stale[path] = difference
    found = []
    if broken:
        message = f"coding tables cannot be used: {several(broken)}"
        found.append(Finding("wrong", "tables", message, _REMAKE, tuple(broken)))
    if stale:
        first = next(iter(stale))
        message = f"coding tables do not match the weights: {several(list(stale))} ({first}: {stale[first]})"
        older = "they are older than the weights (`update()` was not called, or not with force)"
        hint = f"they may be from before the weights were rounded to half precision; otherwise {older}"
        verdict: Verdict = "note" if rounded else "wrong"
        found.append(Finding(verdict, "tables", message, f"{hint if rounded else older}; {_REMAKE}", tuple(stale)))
    if missing:
        message = f"coding tables are missing: {several(missing)}; made from the weights here when first needed"
        hint = f"other programs need `update()` first; {_REMAKE}"
        found.append(Finding("note", "tables", message, hint, tuple(missing)))
    return found or [Finding("fine", "tables", f"coding tables of {len(models)} entropy models match their weights")]


def quantile_findings(codec: Codec) -> list[Finding]:
    """Quantiles that are not where the density has them: tables cut too early, or values rounded off the median."""
    found = []
    bottlenecks = [(path, model) for path, model in _models(codec) if isinstance(model, EntropyBottleneck)]
    for path, model in bottlenecks:
        with torch.no_grad():
            mass = torch.sigmoid(model._logits_cumulative(model.quantiles.double().float(), stop_gradient=True))[:, 0]
        tail = mass[:, 0] + (1 - mass[:, 2])
        centre = (mass[:, 1] - 0.5).abs()
        cut, off = int((tail > TAIL).sum()), int((centre > OFF_CENTRE).sum())
        if cut or off:
            message = (
                f"quantiles of {path} are off: {cut} of {len(tail)} channels leave more than {TAIL:g} of their mass "
                f"outside (at most {float(tail.max()):.2g}), {off} have their median off by more than {OFF_CENTRE:g}"
            )
            hint = "values outside need escape codes; minimise the auxiliary loss (`aux_loss`), then update the tables"
            found.append(Finding("wrong", "quantiles", message, hint, (f"{path}.quantiles",)))
    if not found and bottlenecks:
        found.append(Finding("fine", "quantiles", "every channel is near its target mass"))
    return found


def _models(codec: Codec) -> list[tuple[str, EntropyModel]]:
    """The entropy models that coding runs, by path."""
    named = [(f"latent_codec.{path}", module) for path, module in codec.latent_codec.named_modules()]
    return [(path, module) for path, module in named if table_names(module)]


def _problem(given: list[Tensor], rows: int) -> str | None:
    offset, cdf, length = (table.int().numpy() for table in given)
    return table_problem(offset, cdf, length, rows)


def _difference(given: list[Tensor], made: list[Tensor]) -> str:
    """How tables differ, in words; empty where it is by rounding."""
    offset, cdf, length = given
    new_offset, new_cdf, new_length = made
    if len(offset) != len(new_offset):
        return f"of {len(offset)} distributions, and the model has {len(new_offset)}"
    moved = int(((offset != new_offset) | (length != new_length)).sum())
    if moved:
        return f"{moved} of {len(offset)} distributions cover another range"
    width = min(cdf.shape[1], new_cdf.shape[1])
    columns = torch.arange(width)
    inside = columns[None] < length[:, None]
    apart = ((cdf[:, :width].int() - new_cdf[:, :width].int()).abs() * inside).max(1).values
    if int(apart.max()) <= ROUNDING:
        return ""
    return f"{int((apart > ROUNDING).sum())} of {len(offset)} distributions differ, by up to {apart.max() / 65536:.3f}"
