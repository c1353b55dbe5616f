"""What `-m MODEL` means."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from codecspec.cli.run import note

if TYPE_CHECKING:
    from codecspec.runtime.codec import Codec

SEED = 0


def open_model(model: str) -> Codec:
    """The codec of a saved model, or of a spec by name or file with initial weights that are the same every time.

    Raises:
        SpecError: there is no such model, or it is wrong.
    """
    import torch

    from codecspec.compiler.build import compile_spec
    from codecspec.compiler.saved_model import load

    if Path(model).is_file() and Path(model).suffix not in (".yaml", ".yml"):
        return load(model)
    torch.manual_seed(SEED)
    codec = compile_spec(model)
    note(f"{model} is a spec without weights: coding with untrained ones (seed {SEED})")
    return codec
