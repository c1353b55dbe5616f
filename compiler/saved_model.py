"""Codecs in files: safetensors with the spec and its hash inside, so that a file needs nothing beside it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from codecspec.compiler.build import build
from codecspec.compiler.canonical import canonical_dict, spec_hash
from codecspec.compiler.checkpoints import HASH_KEY, SPEC_KEY, read_metadata, read_tensors, write_safetensors
from codecspec.compiler.convert import Conversion, to_canonical
from codecspec.compiler.lower import lower
from codecspec.compiler.plan import Plan
from codecspec.schema.errors import CheckpointError
from codecspec.schema.load import SpecLike, load_spec, parse_whole_spec
from codecspec.schema.model import ModelSpec
from codecspec.schema.yaml_source import write_yaml

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from codecspec.runtime.codec import Codec


def dump_spec(spec: ModelSpec) -> str:
    """A canonical spec as YAML text that loads to the same."""
    named = {"name": spec.name, "reference": spec.reference.model_dump(mode="json") if spec.reference else None}
    content = canonical_dict(spec)
    ordered = {"codecspec": content.pop("codecspec"), **{k: v for k, v in named.items() if v}, **content}
    return write_yaml(ordered)


def save(codec: Codec, path: str | os.PathLike[str]) -> None:
    """Save a codec, its coding tables and its spec to a safetensors file, complete or not at all.

    Raises:
        UsageError: the file cannot be written.
    """
    codec.prepare_tables()
    metadata = {"format": "pt", SPEC_KEY: dump_spec(codec.spec), HASH_KEY: codec.spec_hash}
    write_safetensors(codec.state_dict(), path, metadata)


def load(path: str | os.PathLike[str]) -> Codec:
    """The codec of a file that `save` or `compile-spec -o` wrote, ready to code.

    Raises:
        CheckpointError: the file has no spec inside, or its spec and tensors do not belong together.
    """
    metadata = read_metadata(path)
    if SPEC_KEY not in metadata:
        message = "there is no spec in this file"
        hint = "say which model it is: compile-spec SPEC --weights FILE -o OUT.safetensors"
        raise CheckpointError("E-checkpoint", str(path), message, hint)
    plan = lower(parse_whole_spec(metadata[SPEC_KEY], f"{os.fspath(path)}#spec"))
    if metadata.get(HASH_KEY) != spec_hash(plan.spec):
        said = f"{metadata.get(HASH_KEY)!r:.16}"
        message = f"the spec inside has the hash {spec_hash(plan.spec)[:12]}, and the file says {said}"
        raise CheckpointError("E-checkpoint", str(path), message, "the file was changed after it was written")
    codec, _ = with_weights(plan, read_tensors(path))
    return codec


def load_weights(spec: SpecLike, path: str | os.PathLike[str]) -> tuple[Codec, Conversion]:
    """The codec of `spec` with the weights of a checkpoint in any known layout, and how they were converted.

    Raises:
        SchemaError: the spec is wrong.
        CheckpointError: the file cannot be read, or tensors are missing, left over or of another shape.
    """
    return with_weights(lower(load_spec(spec)), read_tensors(path))


def with_weights(plan: Plan, tensors: Mapping[str, Tensor]) -> tuple[Codec, Conversion]:
    """The codec of a plan with the tensors of a checkpoint, assigned without a copy; see `load_weights`."""
    conversion = to_canonical(tensors, plan)
    codec = build(plan, device="meta")
    typed = {key: tensor.to(_dtype(plan, key)) for key, tensor in conversion.tensors.items()}
    codec.load_state_dict(typed, strict=True, assign=True)
    return codec, conversion


def _dtype(plan: Plan, key: str) -> torch.dtype:
    import torch

    dtype: torch.dtype = getattr(torch, plan.manifest()[key].dtype)
    return dtype
