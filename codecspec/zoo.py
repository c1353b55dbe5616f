"""The zoo: every spec that comes with codecspec, as a function.

    cs.zoo.names()                        # what there is
    net = cs.zoo.tcm(N=64)                # compile_spec("tcm", N=64)
    cs.zoo.bmshj2018_hyperprior(M=320)    # dashes are underscores

No weights are hosted; a published checkpoint is loaded with `cs.load_weights`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from codecspec.compiler.build import compile_spec
from codecspec.schema.errors import CheckpointError, listed
from codecspec.specs import names

if TYPE_CHECKING:
    from codecspec.runtime.codec import Codec


def __getattr__(name: str) -> Callable[..., Codec]:
    spec = {known.replace("-", "_"): known for known in names()}.get(name)
    if spec is None:
        raise AttributeError(f"the zoo has no {name}; it has: {listed(known.replace('-', '_') for known in names())}")

    def compile_zoo_spec(*, pretrained: bool = False, device: str = "cpu", **params: Any) -> Codec:
        if pretrained:
            message = f"no weights of {spec} are hosted"
            hint = f'get the authors\' checkpoint, then cs.load_weights("{spec}", "checkpoint.pth.tar")'
            raise CheckpointError("E-checkpoint", spec, message, hint)
        return compile_spec(spec, device=device, **params)

    compile_zoo_spec.__name__ = name
    compile_zoo_spec.__doc__ = f"The codec of the zoo spec `{spec}`; see `codecspec.compile_spec`."
    return compile_zoo_spec


def __dir__() -> list[str]:
    return ["names", *(name.replace("-", "_") for name in names())]
