"""plan -> module: built once, on the device asked for, and checked against the plan's key contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from codecspec.compiler.canonical import spec_hash
from codecspec.compiler.kind import build_node
from codecspec.compiler.lower import lower
from codecspec.compiler.memory import memory_needs
from codecspec.compiler.plan import Plan
from codecspec.schema.errors import BuildError, Problem
from codecspec.schema.load import SpecLike, load_spec

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from codecspec.runtime.codec import Codec
    from codecspec.runtime.streams.container import Numerics

DEFAULT_NUMERICS: Numerics = "fast"
"""Of every codec that is built or loaded, until its `numerics` say otherwise."""


def compile_spec(
    spec: SpecLike, *, device: str | torch.device = "cpu", numerics: Numerics = DEFAULT_NUMERICS, **params: Any
) -> Codec:
    """Spec -> codec, in eval mode, with the weights that each module's own initialisation gives.

    Args:
        spec: a zoo name ("wacnn"), a path, a mapping or a loaded spec.
        device: where its tensors are; "meta" for a codec without weights, to be loaded with
            `load_state_dict(..., assign=True)`.
        numerics: how its networks compute in evaluation, `fast` or in the order of the published code (`reference`);
            can be changed later (`codec.numerics`).
        params: values in place of the spec's params (`N=64`).

    Raises:
        SchemaError: the spec is wrong.
        BuildError: a module differs from its plan, which is a bug in its kind.
    """
    return build(lower(load_spec(spec, **params)), device=device, numerics=numerics)


def build(plan: Plan, *, device: str | torch.device = "cpu", numerics: Numerics = DEFAULT_NUMERICS) -> Codec:
    """The codec of a plan; see `compile_spec`."""
    import torch

    from codecspec.runtime.without_weights import WithoutWeights

    with WithoutWeights() if torch.device(device).type == "meta" else torch.device("cpu"):
        codec = _assembled(plan, numerics)
    codec.to(device).eval()
    _check_contract(plan, codec)
    return codec


def build_with(plan: Plan, tensors: Mapping[str, Tensor]) -> Codec:
    """The codec of a plan with tensors that are its plan's, by key, type and shape: not copied, and with no initial
    weights made before.

    Raises:
        CheckpointError: coding tables among them cannot be used.
    """
    codec = assemble(plan)
    _check_contract(plan, codec)
    codec.take(tensors)
    return codec


def assemble(plan: Plan) -> Codec:
    """The codec of a plan without weights, with its constants."""
    from codecspec.runtime.without_weights import WithoutWeights

    with WithoutWeights():
        codec = _assembled(plan, DEFAULT_NUMERICS)
    codec.eval()
    return codec


def _assembled(plan: Plan, numerics: Numerics) -> Codec:
    from codecspec.runtime.codec import Codec

    modules = {root.path: build_node(root) for root in plan.roots}
    g_a = plan.root("g_a")
    return Codec(
        **modules,
        spec=plan.spec,
        spec_hash=spec_hash(plan.spec),
        stride=plan.stride,
        y_stride=g_a.scale_out.denominator,
        y_channels=g_a.c_out,
        memory_needs=memory_needs(plan),
        numerics=numerics,
    )


def _check_contract(plan: Plan, codec: Codec) -> None:
    """The module has exactly the tensors that the plan says, under the same keys, in the same roles."""
    planned = plan.manifest()
    state = codec.state_dict()
    parameters = dict(codec.named_parameters())
    problems: list[Problem] = []
    for key in planned.keys() ^ state.keys():
        message = "planned, and not in the module" if key in planned else "in the module, and not planned"
        problems.append(Problem("E-contract", key, message, "mend the kind that owns it"))
    for key in planned.keys() & state.keys():
        tensor, want = state[key], planned[key]
        found = (tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."), key in parameters)
        if found != (want.shape, want.dtype, want.role == "parameter"):
            problems.append(Problem("E-contract", key, f"planned {want}, built {found}", "mend the kind that owns it"))
    if problems:
        raise BuildError.collect(sorted(problems, key=lambda problem: problem.where))
