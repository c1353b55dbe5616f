"""Bad specs: NAF supports and the auxiliary branch."""

from __future__ import annotations

from tests.schema.bad_spec import GROUPS, TINY, Bad, spoilt

AUX = """\
aux:
  cca:
    context: {type: mean_scale, widths: [8]}
    leaf: {type: lrp_gaussian, widths: [8]}
"""
HOSTED = GROUPS + AUX
CONTEXT = "    context: {type: mean_scale, widths: [8]}\n"

AUXILIARY = [
    Bad(
        "naf-with-a-width",
        spoilt("{type: window_gate, heads: 4, window: 4, shift: 2}", "{type: naf, ^out: 8}", GROUPS),
        "E-unknown-key",
        ("'out'", "allowed here: type"),
    ),
    Bad(
        "naf-transform-without-width",
        spoilt("widths: [8], e", "widths: [8], transform: {type: naf_transform, width: ^0}, e", GROUPS),
        "E-value",
        ("'width' is 0", "at least 1"),
    ),
    Bad(
        "naf-transform-without-blocks",
        spoilt("widths: [8], e", "widths: [8], transform: {type: naf_transform, depth: ^0}, e", GROUPS),
        "E-value",
        ("'depth' is 0", "at least 1"),
    ),
    Bad(
        "misspelt-naf-transform",
        spoilt("widths: [8], e", "widths: [8], transform: {type: ^naf_transfrom}, e", GROUPS),
        "E-unknown-type",
        ("'naf_transfrom'", "sw_atten, naf_transform"),
        "did you mean 'naf_transform'?",
    ),
    Bad(
        "aux-of-another-name",
        spoilt("  cca:", "  ^caa:", HOSTED),
        "E-unknown-key",
        ("'caa'", "allowed here: cca"),
        "'cca'",
        2,
    ),
    Bad("aux-with-groups", HOSTED + "    ^groups: [4, 12]\n", "E-unknown-key", ("'groups'", "support, context, leaf")),
    Bad(
        "aux-without-a-leaf",
        HOSTED.replace(AUX, "aux:\n  cca: ^{context: {type: mean_scale, widths: [8]}}\n"),
        "E-missing-key",
        ("leaf",),
    ),
    Bad(
        "aux-without-groups-to-code-in",
        TINY + AUX.replace("    context", "    ^context"),
        "E-groups",
        ("y is gaussian",),
        "channel_groups",
    ),
    Bad(
        "aux-leaves-too-many",
        HOSTED.replace(AUX, AUX.replace("{type: lrp_gaussian, widths: [8]}", "^[{type: gaussian, count: 5}]")),
        "E-leaf",
        ("take 5 slices, and there are 4",),
    ),
    Bad(
        "aux-support-of-the-future",
        HOSTED + "    support: {filter: all, slices: [[], [], [^2], []]}\n",
        "E-support",
        ("slice 2 cannot see slice 2",),
    ),
]
