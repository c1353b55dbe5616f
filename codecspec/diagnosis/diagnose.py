"""`diagnose`: everything that is looked at, in order."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from codecspec.compiler.checkpoints import SPEC_KEY, Manifest, read_manifest
from codecspec.compiler.convert import to_canonical
from codecspec.compiler.inference.infer import Inference, infer_spec
from codecspec.compiler.plan import Plan
from codecspec.compiler.precision import typed
from codecspec.compiler.saved_model import plan_inside, save
from codecspec.compiler.variants import variants
from codecspec.diagnosis.dead_leaves import dead_leaves
from codecspec.diagnosis.finding import Finding
from codecspec.diagnosis.inputs import input_findings
from codecspec.diagnosis.latents import latent_findings
from codecspec.diagnosis.tables import (
    absent_findings,
    quantile_findings,
    tables_findings,
    with_fresh_tables,
    with_table_keys,
)
from codecspec.diagnosis.tensors import broken_tensors, half_precision, untouched_tensors
from codecspec.diagnosis.trials import Trial, trial, try_variants, variant_findings
from codecspec.evaluation import image_files
from codecspec.runtime.evaluation.measurement import Measurement, is_large, measure_coded
from codecspec.runtime.image_files import ImageFile, read_image_file
from codecspec.schema.errors import MAX_TENSORS, CheckpointError, SpecError, StreamError

if TYPE_CHECKING:
    from torch import Tensor

    from codecspec.runtime.codec import Codec

TRIED_SIDE = 512
"""Variants are tried on the middle of an image, at most so many pixels a side, and on a few images."""
TRIED_IMAGES = 4
POOR_DB = 20.0
MEANS_SIDE = 16
"""A picture is poor below `POOR_DB`, or where it is so hard that its means over squares of this side are below that,
below those."""
FAR_OFF = 0.05
FEW_BITS = 2048
"""A file that differs by so much more than this from what its likelihoods say is no matter of headers."""


@dataclass(slots=True)
class Diagnosis:
    """What was found.

    Args:
        checkpoint: where it is.
        inference: what it was built from; None where no spec has exactly its tensors.
        spec_inside: the file says its spec, which was taken.
        findings: in the order in which they were looked for.
        measured: image -> what came of it.
        trials: for the spec (`""`) and each variant (by its change), rate and PSNR.
        repaired: the model was written with coding tables made anew.
    """

    checkpoint: str
    inference: Inference | None = None
    spec_inside: bool = False
    findings: list[Finding] = field(default_factory=list)
    measured: dict[str, Measurement] = field(default_factory=dict)
    trials: dict[str, Trial] = field(default_factory=dict)
    repaired: bool = False

    @property
    def wrong(self) -> list[Finding]:
        """What spoils what the model codes."""
        return [finding for finding in self.findings if finding.verdict == "wrong"]


def diagnose(
    checkpoint: str | os.PathLike[str],
    images: Sequence[str | os.PathLike[str]] = (),
    *,
    key: str | None = None,
    repair: Path | None = None,
) -> Diagnosis:
    """Look at a checkpoint: its tensors, tables, quantiles; then code images with it, and try what the spec could be.

    Args:
        checkpoint: a file of weights in any known layout.
        images: folders and files; without any, a synthetic image.
        key: which of several state dicts in the file.
        repair: where a saved model with coding tables made anew is written.

    Raises:
        CheckpointError: it cannot be read, or (with `repair`) no spec has its tensors.
        UsageError: there are no such images.
    """
    files, unreadable = _loaded(image_files(list(images))) if images else ([_made()], [])
    manifest, absent = with_table_keys(read_manifest(checkpoint, key=key))
    result = Diagnosis(manifest.source)
    plan = _plan(manifest, result)
    tensors = manifest.tensors()
    result.findings += broken_tensors(tensors)
    if plan is None:
        return result
    try:
        canonical = typed(to_canonical(tensors, plan).tensors, plan)
    except SpecError as error:
        result.findings += _unfit(error)
        return result
    rounded = half_precision(tensors)
    result.findings += [*rounded, *untouched_tensors(canonical, plan)]
    codec = with_fresh_tables(plan, canonical)
    result.findings += absent_findings(absent) or tables_findings(codec, canonical, rounded=bool(rounded))
    result.findings += quantile_findings(codec)
    if repair is not None:
        save(codec, repair)
        result.repaired = True
    result.findings += unreadable
    if not any(finding.about == "tensors" and "hold" in finding.message for finding in result.wrong):
        _on_images(codec, plan, files, result)
    return result


def _plan(manifest: Manifest, result: Diagnosis) -> Plan | None:
    """The plan that the file says of itself, or the one that is inferred."""
    try:
        result.inference = infer_spec(manifest)
        result.spec_inside = SPEC_KEY in manifest.metadata
        return plan_inside(manifest) if result.spec_inside else result.inference.plan
    except CheckpointError as error:
        result.findings += _unfit(error)
        return None


def _unfit(error: SpecError) -> list[Finding]:
    """What an error says of tensors that are no codec's: that they are none, and then what differs."""
    said = [(replace(problem, hint=""), problem.hint) for problem in error.problems[:MAX_TENSORS]]
    return [Finding("note" if i else "wrong", "layout", str(each), hint) for i, (each, hint) in enumerate(said)]


def _on_images(codec: Codec, plan: Plan, files: Sequence[tuple[str, ImageFile]], result: Diagnosis) -> None:
    for name, file in files:
        try:
            result.measured[name] = measure_coded(codec, file, name)
        except SpecError as error:
            result.findings.append(Finding("wrong", "rate", f"{name} cannot be coded: {error}"))
    plain = {name: means_psnr(file.x) for name, file in files if name in result.measured}
    result.findings += [f for name, each in result.measured.items() for f in _measured(name, each, plain[name])]
    crops = [_middle(file.x_for(codec.spec.in_channels, name), codec) for name, file in files[:TRIED_IMAGES]]
    result.findings += latent_findings(codec, crops)
    base = trial(codec, crops)
    result.findings += input_findings(codec, crops[:1])
    tried = try_variants(codec.state_dict(), variants(plan), crops)
    result.trials = ({"": base} if base else {}) | {variant.change: outcome for variant, outcome in tried}
    result.findings += variant_findings(base, tried)


def _measured(name: str, each: Measurement, plain: float) -> list[Finding]:
    """What there is to say of one image, `plain` being the PSNR of its means."""
    share = each.gap or 0
    far_off = abs(share) * each.estimated_bits > FAR_OFF * each.estimated_bits + FEW_BITS
    rates = f"{name}: {each.bpp:.4f} bits per pixel coded, {each.bpp_estimated:.4f} estimated ({share:+.1%})"
    cause = f"; {each.cause}" if is_large(each.gap) else ""
    poor = each.psnr_rgb < min(POOR_DB, plain)
    about = f"{name}: PSNR {each.psnr_rgb:.2f} dB"
    about += f"; its means over {MEANS_SIDE}x{MEANS_SIDE} pixels have {plain:.2f} dB" if poor else ""
    hint = "the decoded image hardly resembles the original" if poor else ""
    return [
        Finding("wrong" if far_off else "fine", "rate", rates + cause),
        Finding("wrong" if poor else "fine", "picture", about, hint),
    ]


def means_psnr(x: Tensor) -> float:
    """The PSNR in dB of an image (1, C, H, W) in [0, 1] of which nothing is left but means of squares: what no codec is
    worse than on a picture, however low its rate."""
    from torch.nn.functional import avg_pool2d, interpolate

    means = avg_pool2d(x, MEANS_SIDE, ceil_mode=True, count_include_pad=False)
    height, width = x.shape[-2:]
    error = x - interpolate(means, scale_factor=MEANS_SIDE)[..., :height, :width]
    squared = float(error.square().mean())
    return -10 * math.log10(squared) if squared else math.inf


def _made() -> tuple[str, ImageFile]:
    return "a synthetic image", ImageFile(dead_leaves(), grey=False, bit_depth=8)


def _loaded(files: Sequence[tuple[str, Path]]) -> tuple[list[tuple[str, ImageFile]], list[Finding]]:
    """The images, and a word about each that cannot be read.

    Raises:
        StreamError: none of them can.
    """
    loaded: list[tuple[str, ImageFile]] = []
    errors: list[StreamError] = []
    for name, path in files:
        try:
            loaded.append((name, read_image_file(path)))
        except StreamError as error:
            errors.append(error)
    if not loaded:
        raise errors[0]
    return loaded, [Finding("note", "images", str(error)) for error in errors]


def _middle(x: Tensor, codec: Codec) -> Tensor:
    height, width = x.shape[-2:]
    top, left = max(0, height - TRIED_SIDE) // 2, max(0, width - TRIED_SIDE) // 2
    crop = x[..., top : top + TRIED_SIDE, left : left + TRIED_SIDE]
    return crop.expand(-1, codec.spec.in_channels, -1, -1)
