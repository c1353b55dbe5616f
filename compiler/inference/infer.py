"""A checkpoint goes in, the spec that it was built from comes out, proved: its plan has exactly the same tensors.

manifest ─ layouts whose rules take every key ─► canonical names and shapes ─ kinds read ─► reading
reading × each family of the zoo ─ params solved ─► plan ─ compared tensor by tensor ─► the family, or
reading ─ documented defaults ─► plan ─ compared tensor by tensor ─► a spec of nobody's family, or
what was understood, what was not, and the nearest family
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from codecspec.compiler.canonical import dump_spec, spec_hash
from codecspec.compiler.canonical_tensors import CanonicalTensors, in_layouts, with_today_names
from codecspec.compiler.checkpoints import SPEC_KEY, CheckpointLike, Manifest, TensorInfo, read_manifest
from codecspec.compiler.checkpoints.state_dicts import under
from codecspec.compiler.inference.beginnings import beginnings
from codecspec.compiler.inference.equations import Solved
from codecspec.compiler.inference.evidence import Evidence, evidence_of
from codecspec.compiler.inference.families import families, fit
from codecspec.compiler.inference.lift import lift
from codecspec.compiler.inference.misfit import misfit
from codecspec.compiler.lower import lower
from codecspec.compiler.plan import Plan
from codecspec.compiler.read_model import ModelReading, read_model
from codecspec.schema.errors import SchemaError
from codecspec.schema.load import load_spec, parse_whole_spec
from codecspec.schema.model import ModelSpec
from codecspec.schema.yaml_source import write_yaml


@dataclass(frozen=True)
class Inference:
    """What a checkpoint was built from.

    Args:
        spec: its spec, in canonical form.
        plan: the plan of that spec: exactly the checkpoint's tensors.
        family: the zoo spec that it is; None if it is of no known family.
        overrides: the params that differ from the family's own.
        layout: the layout of its keys.
        notes: in words, the wrappers that were removed, and what the file says itself.
        unused: keys of redundant tensors, which follow from others, checked by shape.
        alternatives: other families whose plans have exactly the same tensors.
        manifest: the tensors.
        mapped: the tensors under canonical names.
        reading: what they determine.
        solved: the params that they determine, and by which tensor.
    """

    spec: ModelSpec
    plan: Plan
    family: str | None
    overrides: Mapping[str, Any]
    layout: str
    notes: tuple[str, ...]
    unused: tuple[str, ...]
    alternatives: tuple[str, ...]
    manifest: Manifest
    mapped: CanonicalTensors = field(repr=False)
    reading: ModelReading = field(repr=False)
    solved: Mapping[str, Solved] = field(repr=False)

    @cached_property
    def evidence(self) -> dict[str, Evidence]:
        """For every field of the spec, by its path, how it is known; `params.NAME` for the family's params."""
        return evidence_of(self.spec, self.reading, self.solved)

    @property
    def params(self) -> dict[str, Any]:
        """The family's params and their values."""
        return dict(self.spec.params)

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What no weight tells, a line each: the field, what was taken for it, and what else it could be."""
        return tuple(f"{path}: {each}" for path, each in self.evidence.items() if each.status == "assumed")

    @property
    def is_certain(self) -> bool:
        """Whether one family and no other has these tensors."""
        return self.family is not None and not self.alternatives

    def text(self, *, full: bool = False) -> str:
        """The spec as YAML: `extends` and the params that differ, or with `full` (and without a family) all of it."""
        if self.family is None or full:
            return dump_spec(self.spec)
        params = {name: list(v) if isinstance(v, tuple) else v for name, v in self.overrides.items()}
        head = f"codecspec: 1\nextends: {self.family}\n"
        return head + write_yaml({"params": params}) if params else head


@dataclass(frozen=True, slots=True)
class _Candidate:
    """One layout's view of the checkpoint."""

    tensors: CanonicalTensors
    reading: ModelReading


@dataclass(frozen=True, slots=True)
class _Found:
    """A spec whose plan has exactly the checkpoint's tensors."""

    candidate: _Candidate
    plan: Plan
    family: str | None = None
    overrides: Mapping[str, Any] | None = None
    solved: Mapping[str, Solved] | None = None


def infer_spec(checkpoint: CheckpointLike | Manifest, *, key: str | None = None) -> Inference:
    """The spec that a checkpoint was built from.

    Args:
        checkpoint: a file of weights (a path, a file object, an fsspec URL), a mapping of tensors, or its manifest.
            Of a file, the list of tensors is read and nothing else.
        key: which of several state dicts in the file.

    Raises:
        CheckpointError: the file cannot be read, or no spec has exactly its tensors (`E-infer`: what was understood,
            what was not, and how the nearest family differs).
    """
    manifest = checkpoint if isinstance(checkpoint, Manifest) else read_manifest(checkpoint, key=key)
    names = with_today_names(manifest)
    infos = {name: manifest[key] for name, key in names.items()}
    found = _inferred(manifest, infos)
    if found is None:
        raise misfit(infos, manifest.source, _beginnings(manifest))
    return found


def _inferred(manifest: Manifest, infos: Mapping[str, TensorInfo]) -> Inference | None:
    """What a checkpoint was built from; `infos` are its tensors under today's names."""
    candidates = _candidates(infos)
    inside, said = _inside(manifest)
    found = [each for candidate in candidates for each in _families(candidate)]
    if not found and inside is not None:
        found = [_Found(each, inside) for each in candidates if not each.tensors.differences(inside)]
    if not found:
        seen = [candidate.reading for candidate in candidates]
        own = [each for i, each in enumerate(candidates) if all(each.reading is not other for other in seen[:i])]
        found = [each for candidate in own for each in _lifted(candidate)]
    if not found:
        return None
    best = found[0]
    old = sum(name not in manifest for name in infos)
    notes = [*manifest.unwrapped, *said]
    notes += [f"{old} tensors of a bottleneck under their older names"] if old else []
    notes += [_compared(inside, best.plan)] if inside is not None else []
    return Inference(
        spec=best.plan.spec,
        plan=best.plan,
        family=best.family,
        overrides=best.overrides or {},
        layout=best.candidate.tensors.name,
        notes=tuple(notes),
        unused=tuple(dropped.key for dropped in best.candidate.tensors.keymap.dropped),
        alternatives=tuple(dict.fromkeys(str(other.family) for other in found[1:] if other.family != best.family)),
        manifest=manifest,
        mapped=best.candidate.tensors,
        reading=best.candidate.reading,
        solved=best.solved or {},
    )


def _beginnings(manifest: Manifest) -> dict[str, Inference]:
    """Beginnings of keys, such that the tensors under one alone are a codec's; the codec of each."""
    found: dict[str, Inference] = {}
    for start in beginnings(manifest):
        if any(start.startswith(f"{shorter}.") for shorter in found):
            continue
        inside = read_manifest(under(start, manifest))
        names = with_today_names(inside)
        inference = _inferred(inside, {name: inside[key] for name, key in names.items()})
        if inference is not None and any(key.startswith("g_a.") for key in inference.plan.manifest()):
            found[start] = inference  # an entropy model alone is a codec too, one without transforms
    return found


def _candidates(infos: Mapping[str, TensorInfo]) -> list[_Candidate]:
    """The layouts whose rules take every key; those that come to the same share one reading."""
    read: list[_Candidate] = []
    for tensors in in_layouts(infos, whole=True):
        if tensors.problems or tensors.keymap.unknown:
            continue
        reading = next((each.reading for each in read if each.tensors.tensors == tensors.tensors), None)
        read.append(_Candidate(tensors, reading or read_model(tensors.tensors)))
    return [candidate for candidate in read if not candidate.reading.strange]


def _families(candidate: _Candidate) -> Iterator[_Found]:
    """The families that the checkpoint is one of."""
    for family in families(candidate.tensors.layout):
        fitted = fit(family, candidate.reading, candidate.tensors)
        if fitted.plan is not None and fitted.proved:
            yield _Found(candidate, fitted.plan, family.name, fitted.overrides, fitted.solved)


def _inside(manifest: Manifest) -> tuple[Plan | None, list[str]]:
    """The plan of the spec that the file says of itself, and what there is to say of it."""
    if SPEC_KEY not in manifest.metadata:
        return None, []
    try:
        return lower(parse_whole_spec(manifest.metadata[SPEC_KEY], f"{manifest.source}#spec")), []
    except SchemaError as error:
        return None, [f"the spec inside the file is wrong, and was left aside: {error.message}"]


def _compared(inside: Plan, found: Plan) -> str:
    """What there is to say of the spec inside a file beside the one that its tensors tell."""
    mine, theirs = spec_hash(found.spec)[:12], spec_hash(inside.spec)[:12]
    same = "the same" if mine == theirs else f"another: its hash is {theirs}, and this one's {mine}"
    return f"the spec inside the file ({inside.spec.name}) is {same}"


def _lifted(candidate: _Candidate) -> Iterator[_Found]:
    """The spec that the reading alone comes to, if its plan has these tensors."""
    written = lift(candidate.reading)
    if written is None:
        return
    try:
        plan = lower(load_spec(written))
    except SchemaError:
        return  # nothing that the language can say; `misfit` tells how far it goes
    if not candidate.tensors.differences(plan):
        yield _Found(candidate, plan)
