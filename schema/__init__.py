"""What a spec may say: Pydantic models, YAML with line numbers, expressions, errors. No torch."""

from codecspec.schema.errors import (
    BuildError,
    CheckpointError,
    LayoutError,
    Problem,
    SchemaError,
    SpecError,
    StreamError,
    UsageError,
)
from codecspec.schema.load import find_spec, load_spec, parse_spec
from codecspec.schema.model import ModelSpec

__all__ = [
    "BuildError",
    "CheckpointError",
    "LayoutError",
    "ModelSpec",
    "Problem",
    "SchemaError",
    "SpecError",
    "StreamError",
    "UsageError",
    "find_spec",
    "load_spec",
    "parse_spec",
]
