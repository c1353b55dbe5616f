"""Files of weights: what tensors they hold, told without torch and without running anything in them; and writing."""

from codecspec.compiler.checkpoints.damaged import printable
from codecspec.compiler.checkpoints.manifest import Manifest, TensorInfo
from codecspec.compiler.checkpoints.read import CheckpointLike, read_manifest, read_metadata, read_tensors
from codecspec.compiler.checkpoints.write import (
    HASH_KEY,
    SPEC_KEY,
    weights_format,
    write_safetensors,
    write_tensors,
)

__all__ = [
    "HASH_KEY",
    "SPEC_KEY",
    "CheckpointLike",
    "Manifest",
    "TensorInfo",
    "printable",
    "read_manifest",
    "read_metadata",
    "read_tensors",
    "weights_format",
    "write_safetensors",
    "write_tensors",
]
