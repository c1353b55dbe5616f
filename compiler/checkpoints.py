"""Files of weights: read without running what is in them, written whole or not at all."""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from codecspec.schema.errors import CheckpointError, UsageError, listed
from codecspec.schema.whole_file import whole_file

if TYPE_CHECKING:
    from torch import Tensor

WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "ema")
MAX_HEADER_BYTES = 100_000_000
"""The bound that safetensors itself sets on its header."""
SPEC_KEY = "codecspec.spec"
HASH_KEY = "codecspec.hash"


def read_tensors(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The tensors of a .safetensors, .pth or .pth.tar file, out of whatever wraps them.

    `.pth` files go through torch's weights-only reader, which runs nothing that is in them.

    Raises:
        CheckpointError: the file cannot be read or holds no state dict.
    """
    path = Path(path)
    if not os.path.isfile(path):  # not `path.is_file()`, which raises where the name is too long
        raise CheckpointError("E-checkpoint", str(path), "it is a directory" if os.path.isdir(path) else "no such file")
    if _is_safetensors(path):
        return _read_safetensors(path)
    return _unwrap(_read_pickled(path), path)


def read_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """The metadata of a safetensors file; empty for any other file."""
    path = Path(path)
    if not os.path.isfile(path) or not _is_safetensors(path):
        return {}
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        raw = file.read(min(length, MAX_HEADER_BYTES))
    try:
        metadata = json.loads(raw).get("__metadata__", {})
        return {str(key): str(value) for key, value in metadata.items()}
    except (ValueError, AttributeError, RecursionError) as error:
        raise CheckpointError("E-checkpoint", str(path), f"its safetensors header is not JSON: {error}") from error


def write_safetensors(tensors: Mapping[str, Tensor], path: str | os.PathLike[str], metadata: Mapping[str, str]) -> None:
    """Write tensors under `path`, complete or not at all; tensors that share memory get copies of their own.

    Raises:
        UsageError: the file cannot be written.
    """
    from safetensors.torch import save_file

    path = Path(path)
    own: dict[str, Tensor] = {}
    seen: set[int] = set()
    for key, tensor in tensors.items():
        shared = tensor.numel() > 0 and tensor.data_ptr() in seen
        own[key] = tensor.detach().clone() if shared else tensor.detach().contiguous()
        seen.add(tensor.data_ptr())
    with whole_file(path) as partial:
        save_file(own, partial, dict(metadata))


def weights_format(path: Path) -> Literal["safetensors", "torch"]:
    """The format of weights that a file's ending names.

    Raises:
        UsageError: it names none.
    """
    if path.suffix == ".safetensors":
        return "safetensors"
    if path.suffix in (".pth", ".pt") or path.name.endswith(".pth.tar"):
        return "torch"
    message = f"'{path.suffix}' names no format of weights; there are .safetensors, .pth, .pt and .pth.tar"
    raise UsageError("E-output", str(path), message)


def write_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write tensors in the format that the file's ending names: safetensors, or a state dict as torch saves it.

    Raises:
        UsageError: the ending names neither, or the file cannot be written.
    """
    if weights_format(path) == "safetensors":
        write_safetensors(tensors, path, {"format": "pt"})
        return
    import torch

    with whole_file(path) as partial:
        torch.save({key: tensor.detach().clone() for key, tensor in tensors.items()}, partial)


def _is_safetensors(path: Path) -> bool:
    """A safetensors file starts with the length of a JSON header, then the header."""
    with path.open("rb") as file:
        start = file.read(9)
    return len(start) == 9 and start[8:] == b"{" and int.from_bytes(start[:8], "little") + 8 <= path.stat().st_size


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError("E-checkpoint", str(path), f"not a safetensors file: {error}") from error


def _read_pickled(path: Path) -> Any:
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True, mmap=_is_zip(path))
    except Exception as error:  # on a broken file, its reader raises whatever comes first
        raise CheckpointError("E-checkpoint", str(path), _why_not_read(error)) from error


def _why_not_read(error: Exception) -> str:
    """torch's reason in our words: its own advise to switch the safety off."""
    named = re.search(r"GLOBAL ([\w.]+)", str(error))
    if named:
        return f"it names {named[1]}, which no state dict needs; nothing in the file was run"
    return f"it cannot be read as a checkpoint: truncated, damaged or of another format ({type(error).__name__})"


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def _unwrap(content: Any, path: Path) -> dict[str, Tensor]:
    import torch

    while isinstance(content, Mapping) and not any(isinstance(value, torch.Tensor) for value in content.values()):
        inner = next((content[name] for name in WRAPPERS if isinstance(content.get(name), Mapping)), None)
        if inner is None:
            break
        content = inner
    if not isinstance(content, Mapping) or not content:
        raise CheckpointError("E-checkpoint", str(path), f"it holds a {type(content).__name__}, not a state dict")
    strange = [str(key) for key, value in content.items() if not isinstance(value, torch.Tensor)]
    if strange:
        message = f"these entries are no tensors: {listed(strange[:8])}"
        hint = f"a state dict is looked for under {listed(WRAPPERS)}"
        raise CheckpointError("E-checkpoint", str(path), message, hint)
    prefixed = all(str(key).startswith("module.") for key in content)
    return {str(key).removeprefix("module.") if prefixed else str(key): value for key, value in content.items()}
