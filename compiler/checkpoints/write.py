"""Files of weights, written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from codecspec.schema.errors import UsageError
from codecspec.schema.whole_file import whole_file

if TYPE_CHECKING:
    from torch import Tensor

SPEC_KEY = "codecspec.spec"
HASH_KEY = "codecspec.hash"


def write_safetensors(tensors: Mapping[str, Tensor], path: str | os.PathLike[str], metadata: Mapping[str, str]) -> None:
    """Write tensors under `path`, complete or not at all; tensors that share memory get copies of their own.

    Raises:
        UsageError: the file cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    path = Path(path)
    own: dict[str, Tensor] = {}
    seen: set[int] = set()
    for key, tensor in tensors.items():
        shared = tensor.numel() > 0 and tensor.data_ptr() in seen
        own[key] = tensor.detach().clone() if shared else tensor.detach().contiguous()
        seen.add(tensor.data_ptr())
    with whole_file(path) as partial:
        try:
            save_file(own, partial, dict(metadata))
        except SafetensorError as error:  # a full disk is one
            raise OSError(str(error)) from error


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

    copies = {key: tensor.detach().clone() for key, tensor in tensors.items()}
    with whole_file(path) as partial:
        try:
            torch.save(copies, partial)
        except RuntimeError as error:  # a full disk is one
            raise OSError(str(error).partition("\n")[0]) from error
