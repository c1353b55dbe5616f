"""codecspec: a declarative model-graph compiler for learned image codecs.

    import codecspec as cs
    net = cs.compile_spec("wacnn")            # spec -> codec (a compressai CompressionModel)
    out = net(x)                              # x_hat, likelihoods
    bits = net.compress(x)                    # strings, shape; no update() needed
    net.decompress(**bits)["x_hat"]
    data = cs.encode(net, "photo.png")        # bytes that say what they are; decode on another machine
    x_hat = cs.decode(net, data)
    cs.evaluate(net, "kodak").models[0].averages   # bits per pixel, PSNR, MS-SSIM, seconds, of every image too

    spec = cs.load_spec("wacnn", N=128)       # YAML -> spec, checked
    plan = cs.lower(spec)                     # spec -> plan: tensors, parameters, MACs; no torch
    inf = cs.infer_spec("checkpoint.pth.tar") # spec, family, params, layout, evidence, assumptions; no torch
    net = cs.load("checkpoint.pth.tar")       # inferred, converted, built, loaded: ready to compress
    cs.statistics(plan)                       # kMACs per pixel, parameters, memory of activations; no torch
    net, report = cs.load_weights("wacnn", "checkpoint.pth.tar")
    cs.save(net, "wacnn.safetensors")         # weights, coding tables and spec in one file
    net = cs.load("wacnn.safetensors")
    cs.keep_freed_memory()                    # before coding on the CPU in a process of your own: no more page faults
    cs.json_schema()                          # the language, for editors
    cs.convert("wacnn.safetensors", "authors").tensors   # under the authors' keys; bit for bit, and back

Importing this imports no torch; building and loading do. Each name is imported when it is asked for, so that a command
that only completes a word for the shell takes a tenth of a second.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codecspec import zoo
    from codecspec.coding import decode, encode
    from codecspec.compiler.build import build, compile_spec
    from codecspec.compiler.canonical import dump_spec, spec_hash
    from codecspec.compiler.convert import convert
    from codecspec.compiler.inference.infer import Inference, infer_spec
    from codecspec.compiler.lower import lower
    from codecspec.compiler.saved_model import load, load_weights, save
    from codecspec.compiler.statistics import Statistics, statistics
    from codecspec.evaluation import evaluate
    from codecspec.runtime.allocator import keep_freed_memory
    from codecspec.schema.errors import (
        BuildError,
        CheckpointError,
        LayoutError,
        Problem,
        ResultsError,
        SchemaError,
        SpecError,
        StreamError,
        UsageError,
    )
    from codecspec.schema.json_schema import json_schema
    from codecspec.schema.load import load_spec, parse_spec
    from codecspec.schema.model import ModelSpec

_MODULES = {
    "BuildError": "schema.errors",
    "CheckpointError": "schema.errors",
    "Inference": "compiler.inference.infer",
    "LayoutError": "schema.errors",
    "ModelSpec": "schema.model",
    "Problem": "schema.errors",
    "ResultsError": "schema.errors",
    "SchemaError": "schema.errors",
    "SpecError": "schema.errors",
    "Statistics": "compiler.statistics",
    "StreamError": "schema.errors",
    "UsageError": "schema.errors",
    "build": "compiler.build",
    "compile_spec": "compiler.build",
    "convert": "compiler.convert",
    "decode": "coding",
    "dump_spec": "compiler.canonical",
    "encode": "coding",
    "evaluate": "evaluation",
    "infer_spec": "compiler.inference.infer",
    "json_schema": "schema.json_schema",
    "keep_freed_memory": "runtime.allocator",
    "load": "compiler.saved_model",
    "load_spec": "schema.load",
    "load_weights": "compiler.saved_model",
    "lower": "compiler.lower",
    "parse_spec": "schema.load",
    "save": "compiler.saved_model",
    "spec_hash": "compiler.canonical",
    "statistics": "compiler.statistics",
}

__all__ = [
    "BuildError",
    "CheckpointError",
    "Inference",
    "LayoutError",
    "ModelSpec",
    "Problem",
    "ResultsError",
    "SchemaError",
    "SpecError",
    "Statistics",
    "StreamError",
    "UsageError",
    "build",
    "compile_spec",
    "convert",
    "decode",
    "dump_spec",
    "encode",
    "evaluate",
    "infer_spec",
    "json_schema",
    "keep_freed_memory",
    "load",
    "load_spec",
    "load_weights",
    "lower",
    "parse_spec",
    "save",
    "spec_hash",
    "statistics",
    "zoo",
]


def __getattr__(name: str) -> object:
    if name == "zoo":
        return import_module("codecspec.zoo")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
