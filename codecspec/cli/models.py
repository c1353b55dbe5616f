"""What `-m MODEL` means."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from codecspec.cli.say import note

if TYPE_CHECKING:
    from codecspec.runtime.codec import Codec

SEED = 0


def open_model(model: str, *, limited: bool = False) -> Codec:
    """The codec of a saved model, or of a spec by name or file with initial weights that are the same every time.

    A command opens one to code with it, and ends; so this process keeps what memory it has had (`keep_freed_memory`).
    Where its memory is `limited` it does not: maps of many sizes leave gaps that no other fits into.

    Raises:
        SpecError: there is no such model, or it is wrong.
    """
    import torch

    from codecspec.compiler.build import compile_spec
    from codecspec.compiler.checkpoints.byte_source import no_such_checkpoint
    from codecspec.compiler.saved_model import load
    from codecspec.runtime.allocator import keep_freed_memory
    from codecspec.schema.spec_files import ENDINGS, WEIGHTS

    suffix = Path(model).suffix
    if suffix in WEIGHTS and not os.path.exists(model):
        raise no_such_checkpoint(model)
    if not limited:
        keep_freed_memory()
    if os.path.isfile(model) and suffix not in ENDINGS:
        return load(model)
    torch.manual_seed(SEED)
    codec = compile_spec(model)
    note(f"{model} is a spec without weights: coding with untrained ones (seed {SEED})")
    return codec
