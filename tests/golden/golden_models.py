"""The published models' numbers: weights by formula, outputs by the authors' own code in float64 (golden/*.json)."""

from __future__ import annotations

import base64
import json
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

from codecspec.schema.load import load_spec
from codecspec.schema.model import ModelSpec

FOLDER = Path(__file__).parent


def read(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.json").read_text())


def spec_of(golden: dict[str, Any]) -> ModelSpec:
    """The zoo spec that a golden is about, at its params."""
    config = golden["config"]
    if config.get("cca_training"):
        return load_spec("cca-aux", proportions=config["prop_slices"])
    return load_spec(golden["name"], **config)


def image(golden: dict[str, Any]) -> torch.Tensor:
    """The formula image, (1, 3, H, W) float64."""
    height, width = golden["input"]["height"], golden["input"]["width"]
    yy, xx = np.mgrid[0:height, 0:width] / 64
    planes = [0.5 + 0.3 * np.sin(3 * xx + 1.7 * yy + i) + 0.2 * np.cos(11 * xx * (i + 1) - 7 * yy) for i in range(3)]
    return torch.from_numpy(np.clip(np.stack(planes)[None], 0, 1))


def state_dict(golden: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The authors' checkpoint: every key of their layout, float32 as a file holds it."""
    state: dict[str, torch.Tensor] = {}
    for key, (dtype, shape) in golden["state_dict"].items():
        values = _buffer(golden, key, dtype) if key in golden["buffers"] else _parameter(golden, key, shape)
        state[key] = torch.from_numpy(np.ascontiguousarray(values, dtype=dtype).reshape(shape))
    return state


def _buffer(golden: dict[str, Any], key: str, dtype: str) -> np.ndarray:
    values = golden["buffers"][key]
    if isinstance(values, dict):
        raw = zlib.decompress(base64.b64decode(golden["blobs"][values["blob"]]))
        return np.frombuffer(raw, dtype=np.dtype(dtype).newbyteorder("<")).copy()
    return np.array(values, dtype=dtype)


def _parameter(golden: dict[str, Any], key: str, shape: list[int]) -> np.ndarray:
    n = np.random.default_rng(zlib.crc32(key.encode())).standard_normal(shape)
    value = _formula(key.rpartition(".")[2], n, golden["gain"])
    return (value * golden["factors"].get(key, 1) + golden["offsets"].get(key, 0)).astype(np.float32)


def _formula(leaf: str, n: np.ndarray, gain: float) -> np.ndarray:
    if leaf == "quantiles":
        m = 0.1 * n[..., 1:2]
        return np.concatenate([m - 8, m, m + 8], axis=-1)
    if leaf.startswith("_matrix"):
        return 0.3 + 0.1 * n
    if leaf.startswith(("_bias", "_factor")):
        return 0.1 * n
    if leaf == "gamma" and n.ndim == 2:
        return 0.3 * np.eye(len(n)) + 0.01 * abs(n)
    if leaf == "beta" and n.ndim == 1:
        return 1 + 0.05 * abs(n)
    if leaf in ("beta", "gamma"):
        return 0.5 + 0.1 * n
    if "relative_position" in leaf:
        return 0.2 * n
    if n.ndim == 0:
        return 0.5 + 0.1 * n
    if n.ndim == 1:
        return 1 + 0.1 * n if leaf == "weight" else 0.1 * n
    return n * gain / math.sqrt(math.prod(n.shape[1:]))


def fill(codec: torch.nn.Module, gain: float = 1.0) -> torch.nn.Module:
    """Weights by the same formula from our own keys: latents with many different symbols, no training needed."""
    for key, parameter in codec.named_parameters():
        n = np.random.default_rng(zlib.crc32(key.encode())).standard_normal(parameter.shape)
        parameter.data.copy_(torch.from_numpy(_formula(key.rpartition(".")[2], n, gain)))
    return codec


def differences(golden: dict[str, Any], out: dict[str, Any], y: torch.Tensor | None) -> list[str]:
    """Everything in which `out` (a forward in float64) misses the golden: bits to 1e-6 relative, samples to 1e-6."""
    want = golden["outputs"]
    found = _total_differences(out["likelihoods"], want["bits"])
    found += _total_differences(out.get("aux_likelihoods", {}), want.get("aux_bits", {}))
    per_channel = _bits(out["likelihoods"]["y"]).sum(dim=(0, 2, 3)).tolist()
    for channel, (ours, bits) in enumerate(zip(per_channel, want["y_bits_per_channel"], strict=True)):
        if abs(ours / bits - 1) > 1e-6:
            found.append(f"bits of y, channel {channel}: {ours}, golden {bits}")
    found += _tensor_differences("x_hat", out["x_hat"], want["x_hat"])
    if y is not None and "y" in want:
        found += _tensor_differences("y", y, want["y"])
    return found


def _total_differences(likelihoods: dict[str, torch.Tensor], want: dict[str, float]) -> list[str]:
    found = [f"likelihoods of {name}" for name in sorted(likelihoods.keys() ^ want.keys())]
    for name in likelihoods.keys() & want.keys():
        ours = _bits(likelihoods[name]).sum().item()
        if abs(ours / want[name] - 1) > 1e-6:
            found.append(f"bits of {name}: {ours}, golden {want[name]}")
    return found


def _bits(likelihoods: torch.Tensor) -> torch.Tensor:
    return -torch.log2(likelihoods)


def _tensor_differences(name: str, tensor: torch.Tensor, want: dict[str, Any]) -> list[str]:
    if list(tensor.shape) != want["shape"]:
        return [f"{name} has shape {list(tensor.shape)}, golden {want['shape']}"]
    flat = tensor.flatten()
    sample = torch.stack([flat[(i * (flat.numel() - 1)) // 63] for i in range(64)])
    figures = {"mean": flat.mean(), "std": flat.std()}
    found = [
        f"{name} sample {i}: {ours}, golden {value}"
        for i, (ours, value) in enumerate(zip(sample.tolist(), want["sample"], strict=True))
        if abs(ours - value) > 1e-6
    ]
    return found + [f"{name} {n}: {f.item()}, golden {want[n]}" for n, f in figures.items() if abs(f - want[n]) > 1e-6]
