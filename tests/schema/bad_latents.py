"""Bad specs: latent codecs of an unknown type, and parts that theirs do not have."""

from __future__ import annotations

from tests.schema.bad_aux import AUX
from tests.schema.bad_spec import TINY, Bad, spoilt

HEAD, _, _ = TINY.partition("latent_codec:")
FACTORIZED = HEAD + "latent_codec:\n  type: factorized\n  y: {type: entropy_bottleneck}\n"
"""y by itself."""

LATENTS = [
    Bad(
        "misspelt-factorized",
        spoilt("type: factorized", "type: ^factorised", FACTORIZED),
        "E-unknown-type",
        ("'factorised'", "hyperprior, factorized"),
        "did you mean 'factorized'?",
    ),
    Bad(
        "factorized-with-a-hyper-latent",
        FACTORIZED + "  ^z: {type: entropy_bottleneck}\n",
        "E-unknown-key",
        ("'z'", "allowed here: type, y"),
    ),
    Bad(
        "factorized-without-y",
        HEAD + "latent_codec: ^{type: factorized}\n",
        "E-missing-key",
        ("the key 'y' is missing in factorized",),
    ),
    Bad(
        "factorized-under-a-gaussian",
        spoilt("y: {type: entropy_bottleneck}", "y: {type: ^gaussian}", FACTORIZED),
        "E-unknown-type",
        ("'gaussian'", "allowed here: entropy_bottleneck"),
    ),
    Bad(
        "hyperprior-of-y-by-itself",
        spoilt("y: {type: gaussian}", "y: {type: ^entropy_bottleneck}"),
        "E-unknown-type",
        ("'entropy_bottleneck'", "channel_groups, gaussian, checkerboard, raster_scan"),
    ),
    Bad(
        "latent-codec-without-a-type",
        HEAD + "latent_codec: ^{y: {type: entropy_bottleneck}}\n",
        "E-missing-key",
        ("'type'", "a mapping (y); allowed here: hyperprior, factorized"),
    ),
    Bad(
        "factorized-with-the-branch",
        FACTORIZED + AUX.replace("    context", "    ^context"),
        "E-groups",
        ("y is entropy_bottleneck",),
        "a hyperprior with y: {type: channel_groups",
    ),
]
