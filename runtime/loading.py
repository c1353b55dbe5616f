"""What keeps a state dict from being that of a codec: everything, before anything is loaded."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from codecspec.runtime.coding_tables import TABLES, table_names
from codecspec.runtime.compressai_classes import EntropyBottleneck
from codecspec.runtime.entropy_coding.tables import table_problem
from codecspec.schema.errors import Problem


def loading_problems(codec: nn.Module, state_dict: Mapping[str, Tensor], *, strict: bool) -> list[Problem]:
    """One problem per missing, extra or misshapen tensor, and per set of coding tables that cannot be used.

    Args:
        codec: what is to be loaded into.
        state_dict: what is to be loaded.
        strict: whether missing and extra tensors are problems.
    """
    own = codec.state_dict()
    tables = _tables(codec)
    problems: list[Problem] = []
    if strict:
        problems += [
            Problem("E-tensors", key, f"missing: the model needs it, of shape {list(tensor.shape)}")
            for key, tensor in own.items()
            if key not in state_dict
        ]
        problems += [
            Problem("E-tensors", key, "left over: the model has no such tensor") for key in state_dict if key not in own
        ]
    for key, tensor in own.items():
        if key in state_dict and key not in tables and state_dict[key].shape != tensor.shape:
            found, needed = list(state_dict[key].shape), list(tensor.shape)
            problems.append(Problem("E-tensors", key, f"of shape {found}, and the model needs {needed}"))
    return problems + table_problems(codec, state_dict)


def resize_tables(codec: nn.Module, state_dict: Mapping[str, Tensor]) -> None:
    """Give the coding tables the shapes of those in `state_dict`; torch loads no tensor of another shape."""
    for key, (module, name) in _tables(codec).items():
        if key in state_dict:
            setattr(module, name, getattr(module, name).new_empty(state_dict[key].shape))


def _tables(codec: nn.Module) -> dict[str, tuple[nn.Module, str]]:
    """The key of every coding table -> its module and its name there."""
    found: dict[str, tuple[nn.Module, str]] = {}
    for path, module in codec.named_modules():
        for name in table_names(module):
            found[f"{path}.{name}"] = (module, name)
    return found


def assign_tensors(codec: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Put tensors in the places of all parameters and buffers, by the keys of the state dict."""
    for path, module in codec.named_modules():
        prefix = f"{path}." if path else ""
        for name, parameter in module._parameters.items():
            if parameter is not None:
                module._parameters[name] = nn.Parameter(tensors[prefix + name], parameter.requires_grad)
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = tensors[prefix + name]


def table_problems(codec: nn.Module, state_dict: Mapping[str, Tensor]) -> list[Problem]:
    """One problem per set of coding tables in `state_dict` that cannot be used."""
    problems: list[Problem] = []
    for path, module in codec.named_modules():
        keys = [f"{path}.{name}" for name in TABLES]
        if not table_names(module) or not all(key in state_dict for key in keys):
            continue
        if isinstance(module, EntropyBottleneck):
            rows = module.channels
        else:
            rows = state_dict.get(f"{path}.scale_table", module.scale_table).numel()
        offset, cdf, length = (state_dict[key].cpu().numpy() for key in keys)
        message = table_problem(offset, cdf, length, rows)
        if message:
            hint = "leave the tables out (empty tensors); they are made again from the weights"
            problems.append(Problem("E-tensors", keys[1], message, hint))
    return problems


def uncompiled_key(key: str) -> str:
    """A tensor's key without the steps that torch.compile puts into it, around a codec or a module inside."""
    return ".".join(step for step in key.split(".") if step != "_orig_mod")
