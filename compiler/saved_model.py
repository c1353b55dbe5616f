"""Codecs in files: safetensors with the spec and its hash inside, so that a file needs nothing beside it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from codecspec.compiler.build import build_with
from codecspec.compiler.canonical import dump_spec, spec_hash
from codecspec.compiler.canonical_tensors import in_layouts
from codecspec.compiler.checkpoints import (
    HASH_KEY,
    SPEC_KEY,
    CheckpointLike,
    Manifest,
    read_manifest,
    read_tensors,
    write_safetensors,
)
from codecspec.compiler.collector import paused_collector
from codecspec.compiler.convert import Conversion, as_inferred, to_canonical
from codecspec.compiler.inference.infer import infer_spec
from codecspec.compiler.lower import lower
from codecspec.compiler.plan import Plan
from codecspec.compiler.precision import typed
from codecspec.schema.errors import CheckpointError, Problem
from codecspec.schema.load import SpecLike, load_spec, parse_whole_spec

if TYPE_CHECKING:
    from torch import Tensor

    from codecspec.runtime.codec import Codec


def save(codec: Codec, path: str | os.PathLike[str]) -> None:
    """Save a codec, its coding tables and its spec to a safetensors file, complete or not at all.

    Raises:
        UsageError: the file cannot be written.
    """
    from codecspec.runtime.loading import uncompiled_key

    codec.prepare_tables()
    metadata = {"format": "pt", SPEC_KEY: dump_spec(codec.spec), HASH_KEY: codec.spec_hash}
    write_safetensors({uncompiled_key(key): tensor for key, tensor in codec.state_dict().items()}, path, metadata)


def load(path: CheckpointLike, *, key: str | None = None) -> Codec:
    """Load a codec, ready to code, from a file that `save` wrote or from any checkpoint whose spec can be inferred.

    If the file contains its spec, that is checked against the tensors and used. Weights stay in the file and are read
    when used: you may replace the file (by `save` or a rename), but do not write into it while the codec exists.

    Args:
        path: a file of weights, of any format, in any known layout.
        key: the state dict to use, if the file has several; or a prefix of its keys.

    Raises:
        CheckpointError: the file cannot be read, the spec inside does not fit its tensors, or there is none inside and
            none can be inferred.
        SchemaError: the spec inside is wrong.
    """
    with paused_collector():
        manifest = read_manifest(path, key=key)
        if SPEC_KEY in manifest.metadata:
            codec, _ = with_weights(plan_inside(manifest), manifest.tensors())
            return codec
        inference = infer_spec(manifest)
        return _made(inference.plan, as_inferred(inference, manifest.tensors()))


def plan_inside(manifest: Manifest) -> Plan:
    """The plan of the spec that a file says of itself."""
    plan = lower(parse_whole_spec(manifest.metadata[SPEC_KEY], f"{manifest.source}#spec"))
    if manifest.metadata.get(HASH_KEY) != spec_hash(plan.spec):
        said = f"{manifest.metadata.get(HASH_KEY)!r:.16}"
        message = f"the spec inside has the hash {spec_hash(plan.spec)[:12]}, and the file says {said}"
        raise CheckpointError("E-checkpoint", manifest.source, message, "the file was changed after it was written")
    problems = min((view.differences(plan) for view in in_layouts(manifest, whole=True)), key=len)
    if problems:
        message = f"the spec inside, {plan.spec.name}, does not fit the tensors beside it: {len(problems)} differ"
        hint = "the file was changed after it was written; infer-spec tells what its tensors are"
        raise CheckpointError.collect([Problem("E-checkpoint", manifest.source, message, hint), *problems])
    return plan


def load_weights(spec: SpecLike, path: str | os.PathLike[str]) -> tuple[Codec, Conversion]:
    """The codec of `spec` with the weights of a checkpoint in any known layout, and how they were converted.

    Raises:
        SchemaError: the spec is wrong.
        CheckpointError: the file cannot be read, or tensors are missing, left over or of another shape.
    """
    return with_weights(lower(load_spec(spec)), read_tensors(path))


def with_weights(plan: Plan, tensors: Mapping[str, Tensor]) -> tuple[Codec, Conversion]:
    """The codec of a plan with the tensors of a checkpoint, assigned without a copy; see `load_weights`."""
    with paused_collector():
        conversion = to_canonical(tensors, plan)
        return _made(plan, conversion), conversion


def _made(plan: Plan, conversion: Conversion) -> Codec:
    return build_with(plan, typed(conversion.tensors, plan))
