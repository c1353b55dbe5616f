"""Bad specs: every word is allowed, and the codec that they describe does not come together."""

from __future__ import annotations

from tests.schema.bad_spec import GROUPS, Bad, spoilt

DUAL = """\
h_s:
    type: dual
    mean: [{type: deconv, out: M, stride: 2}]
    scale: [{type: deconv, out: M, stride: 2}]"""
H_S = "h_s: [{type: deconv, out: 2*M, stride: 2}]"
SUPPORT = "{filter: first, max: 2}"
LEAF = "{type: lrp_gaussian, widths: [8]}"
LRP, PLAIN = "{type: lrp_gaussian, widths: [8], count: %s}", "{type: gaussian, count: %s}"


def _support(text: str) -> str:
    return spoilt(SUPPORT, text, GROUPS)


def _groups(text: str) -> str:
    """GROUPS with other groups, and `slices` still in use."""
    return spoilt("{equal: slices}", text, spoilt("widths: [8], e", "widths: [2*slices], e", GROUPS))


def _leaf(text: str) -> str:
    return spoilt(LEAF, text, GROUPS)


FLOW = [
    Bad(
        "g_s-gives-other-channels",
        spoilt("out: 3, kernel: 3", "out: ^4, kernel: 3"),
        "E-channels",
        ("g_s gives 4 channels", "image that g_a takes has 3"),
    ),
    Bad(
        "g_s-too-small",
        spoilt("factor: 2", "factor: 1").replace("  - {type: subpel", "  - ^{type: subpel"),
        "E-stride",
        ("g_a divides the image's side by 4", "g_s multiplies it by 2"),
    ),
    Bad(
        "y-between-pixels",
        spoilt("{type: deconv, out: 3", "{type: conv, out: 3", GROUPS).replace(
            "g_a:\n", "g_a:\n  ^- {type: deconv, out: 4, stride: 4}\n"
        ),
        "E-stride",
        ("y would stand at 2 of the image's side: no whole stride",),
    ),
    Bad(
        "h_s-not-back-at-y",
        spoilt(H_S, "h_s: ^[{type: deconv, out: 2*M, stride: 4}]"),
        "E-stride",
        ("h_s gives its parameters at 1/2", "y stands at 1/4", "must cancel"),
    ),
    Bad(
        "no-whole-stride-to-z",
        spoilt("h_a: [{type: conv, out: N, stride: 2}]", "h_a: ^[{type: deconv, out: N, stride: 2}]").replace(
            H_S, "h_s: [{type: conv, out: 2*M, stride: 2}]"
        ),
        "E-stride",
        ("z stands at 1/2", "y at 1/4"),
    ),
    Bad(
        "strides-explode",
        spoilt("  - {type: gdn}", "  - repeat: {count: 99, blocks: [^{type: conv, out: 1, stride: 255}]}"),
        "E-stride",
        ("multiply to more than 65536",),
    ),
    Bad(
        "heads",
        spoilt("heads: 4", "heads: ^3", GROUPS),
        "E-channels",
        ("the 16 channels that come in do not divide into 3 heads",),
    ),
    Bad(
        "odd-channels-in-a-gate",
        spoilt("heads: 4", "heads: 1", GROUPS.replace("M: 16, slices: 4", "M: 15, slices: 5")).replace(
            "type: window_gate", "type: ^window_gate"
        ),
        "E-channels",
        ("an even number of channels, and 15 come in",),
    ),
    Bad("shift", spoilt("shift: 2", "shift: ^4", GROUPS), "E-channels", ("the shift 4 is not less than the window 4",)),
    Bad(
        "dual-widths",
        spoilt(
            "h_s:\n    type: dual\n    mean: [{type: deconv, out: M,",
            "h_s:\n    ^type: dual\n    mean: [{type: deconv, out: M + 2,",
            GROUPS,
        ),
        "E-channels",
        ("`mean` gives 18 channels and `scale` 16", "equal"),
    ),
    Bad(
        "dual-resolutions",
        spoilt(
            DUAL,
            DUAL.replace("type: dual", "^type: dual").replace(
                "2}]\n    scale: [{type: deconv, out: M, stride: 2", "2}]\n    scale: [{type: deconv, out: M, stride: 4"
            ),
            GROUPS,
        ),
        "E-stride",
        ("`mean` gives 1/2 of the image's side and `scale` 1",),
    ),
    Bad(
        "chunks-of-y",
        spoilt("y: {type: gaussian}", "y: ^{type: gaussian, chunks: [scales]}"),
        "E-channels",
        ("scales of 16 channels are 16, and 32 come in",),
    ),
    Bad(
        "parameters-of-y",
        spoilt(H_S, "h_s: [{type: deconv, out: M, stride: 2}]").replace("y: {", "y: ^{"),
        "E-channels",
        ("scales and means of 16 channels are 32, and 16 come in",),
    ),
    Bad(
        "dual-in-the-other-order",
        spoilt(H_S, "h_s: {type: dual, mean: &h [{type: deconv, out: M, stride: 2}], scale: *h}").replace(
            "y: {type: gaussian}", "y: {type: gaussian, chunks: ^[scales, means]}"
        ),
        "E-context",
        ("a dual h_s gives means, then scales", "y reads scales, then means"),
        "chunks: [means, scales]",
    ),
]

SLICES = [
    Bad("groups-do-not-sum", _groups("^[4, 4, 4, 2]"), "E-groups", ("sum to 14 channels, and y has 16",)),
    Bad("groups-do-not-divide", _groups("^{equal: 5}"), "E-groups", ("16 channels do not divide into 5 equal slices",)),
    Bad("groups-none", _groups("{equal: ^0}"), "E-value", ("'equal' is 0", "at least 1")),
    Bad("groups-empty", _groups("^[]"), "E-value", ("'groups' is []", "at least 1 item")),
    Bad("groups-with-an-empty-one", _groups("[16, ^0]"), "E-value", ("item 1 of 'groups' is 0", "at least 1")),
    Bad("proportions-empty", _groups("{proportions: ^[]}"), "E-value", ("'proportions' is []", "at least 1 item")),
    Bad(
        "proportions-zero",
        _groups("{proportions: [1, ^0]}"),
        "E-value",
        ("item 1 of 'proportions' is 0", "more than 0"),
    ),
    Bad(
        "proportions-negative",
        _groups("{proportions: [1, ^-2]}"),
        "E-value",
        ("item 1 of 'proportions' is -2", "more than 0"),
    ),
    Bad("proportions-overflow", _groups("{proportions: [^1e308, 1]}"), "E-value", ("is 1e+308", "at most 2147483648")),
    Bad(
        "proportions-leave-one-empty",
        _groups("^{proportions: [1, 1000]}"),
        "E-groups",
        ("leave a slice empty: [0, 16]",),
    ),
    Bad(
        "proportions-single-fraction",
        _groups("^{proportions: [2.5]}"),
        "E-groups",
        ("a number of equal slices, 1 to 1024; found 2.5",),
    ),
    Bad(
        "proportions-single-huge",
        _groups("^{proportions: [65536]}").replace("M: 16", "M: 65536"),
        "E-groups",
        ("1 to 1024; found 65536",),
    ),
    Bad(
        "equal-and-proportions",
        _groups("{equal: 4, ^proportions: [1]}"),
        "E-unknown-key",
        ("'proportions'", "allowed here: equal"),
    ),
    Bad(
        "support-of-the-future",
        _support("{slices: [[], [0], [0, 1], [0, ^3]]}"),
        "E-support",
        ("slice 3 cannot see slice 3", "before it"),
    ),
    Bad(
        "support-wrong-number-of-lists",
        _support("{slices: ^[[], [0]]}"),
        "E-support",
        ("has 2 lists, and there are 4 slices",),
    ),
    Bad(
        "support-twice-the-same",
        _support("{slices: [[], [0], [0, 1], [1, 0, ^1]]}"),
        "E-support",
        ("slice 3 sees slice 1 twice",),
    ),
    Bad("support-negative", _support("{slices: [[], [0], [0, ^-1], []]}"), "E-value", ("is -1", "at least 0")),
    Bad("support-is-no-list", _support("{slices: ^3}"), "E-value", ("'slices' is 3", "a list")),
    Bad(
        "max-with-all",
        _support("{filter: all, max: ^2}"),
        "E-support",
        ("`max` goes with `filter: first` or", "`filter: all`"),
    ),
    Bad(
        "max-with-slices",
        _support("{max: ^2, slices: [[], [0], [0], [0]]}"),
        "E-support",
        ("`max` goes with", "found it with `slices`"),
    ),
    Bad("max-negative", _support("{filter: first, max: ^-1}"), "E-value", ("'max' is -1", "at least 0")),
    Bad(
        "filter-with-slices",
        _support("{filter: ^recent, slices: [[], [0], [0], [0]]}"),
        "E-support",
        ("leave `filter: recent` out",),
    ),
    Bad("leaf-too-few", _leaf(f"^[{LRP % 1}, {PLAIN % 2}]"), "E-leaf", ("take 3 slices, and there are 4",)),
    Bad("leaf-too-many", _leaf(f"^[{LRP % 'slices - 1'}, {PLAIN % 2}]"), "E-leaf", ("take 5 slices, and there are 4",)),
    Bad(
        "leaf-count-negative",
        _leaf("{type: gaussian, count: ^slices - 5}"),
        "E-value",
        ("'count' is -1 (slices - 5)", "at least 0"),
    ),
    Bad(
        "leaf-open-ended-twice",
        _leaf("^[{type: gaussian}, {type: gaussian}]"),
        "E-leaf",
        ("more than one leaf has no `count`",),
    ),
    Bad("leaf-none", _leaf("^[]"), "E-value", ("'leaf' is []", "at least 1 item")),
    Bad(
        "leaf-reads-what-is-not-emitted",
        spoilt("emit_mean_support: pre", "emit_mean_support: ^none", GROUPS),
        "E-context",
        ("a lrp_gaussian leaf reads the mean support", "none"),
        "pre or post",
    ),
    Bad(
        "leaf-without-means",
        _leaf("{type: gaussian, chunks: ^[scales]}"),
        "E-context",
        ("gives scales, then means, and the leaf reads scales",),
        "[scales, means]",
    ),
    Bad(
        "leaf-in-the-other-order",
        _leaf(f"[{LRP % 1}, {{type: gaussian, chunks: ^[means, scales]}}]"),
        "E-context",
        ("the leaf reads means, then scales",),
        "chunks: [scales, means]",
    ),
    Bad(
        "side-not-in-context",
        spoilt("side_in_context: true", "side_in_context: ^false", GROUPS),
        "E-context",
        ("made of the side parameters",),
        "side_in_context: true",
    ),
    Bad(
        "odd-side-parameters",
        spoilt(
            DUAL,
            "h_s: [{type: deconv, out: 31, stride: 2}]",
            GROUPS,
        ).replace("  y:\n    type", "  y:\n    ^type"),
        "E-channels",
        ("do not split into means and scales: h_s gives 31",),
    ),
]


def _checkerboard(fields: str) -> str:
    return spoilt("{type: gaussian}", f"{{type: checkerboard, {fields}}}")


def _channel_conv(context: str, leaf: str) -> str:
    text = spoilt("    side_in_context: true\n", "", GROUPS)
    text = spoilt("{type: mean_scale, widths: [8], emit_mean_support: pre}", context, text)
    return spoilt("{type: lrp_gaussian, widths: [8]}", leaf, text)


ELIC = [
    Bad(
        "form-of-parameters",
        _checkerboard("parameters: ^{layers: 3}"),
        "E-value",
        ("a mapping (layers)", "{ramp: L, min: C} or a list of hidden widths"),
    ),
    Bad("no-parameters", spoilt("{type: gaussian}", "^{type: checkerboard}"), "E-missing-key", ("'parameters'",)),
    Bad("ramp-without-layers", _checkerboard("parameters: {ramp: ^0}"), "E-value", ("'ramp' is 0", "at least 1")),
    Bad("ramp-of-too-many", _checkerboard("parameters: {ramp: ^65}"), "E-value", ("'ramp' is 65", "at most 64")),
    Bad("ramp-below-zero", _checkerboard("parameters: {ramp: 3, min: ^-1}"), "E-value", ("'min' is -1", "at least 0")),
    Bad(
        "ramp-with-another-key",
        _checkerboard("parameters: {ramp: 3, ^mim: 4}"),
        "E-unknown-key",
        ("'mim'", "allowed here: ramp, min"),
        "'min'",
    ),
    Bad("hidden-width-zero", _checkerboard("parameters: [8, ^0]"), "E-value", ("is 0", "at least 1")),
    Bad("parity-of-neither", _checkerboard("parity: ^evn, parameters: []"), "E-value", ("even, odd",), "'even'"),
    Bad("checkerboard-kernel", _checkerboard("kernel: ^4, parameters: []"), "E-value", ("a kernel is odd, found 4",)),
    Bad(
        "checkerboard-without-means",
        _checkerboard("parameters: [], chunks: ^[scales]"),
        "E-value",
        ("allowed: [scales, means], [means, scales]; found [scales]",),
    ),
    Bad(
        "channel-conv-kernel",
        _channel_conv("{type: channel_conv, widths: [8], kernel: ^2}", "{type: checkerboard, parameters: []}"),
        "E-value",
        ("a kernel is odd, found 2",),
    ),
    Bad(
        "lrp-without-mean-support",
        _channel_conv("{type: channel_conv, widths: [8]}", "{type: ^lrp_gaussian, widths: [8]}"),
        "E-context",
        ("reads the mean support, and a channel_conv context has none",),
        "mean_scale",
    ),
    Bad(
        "gaussian-with-side-left-over",
        _channel_conv("{type: channel_conv, widths: [8]}", "^{type: gaussian}"),
        "E-channels",
        ("scales and means of 4 channels are 8, and 32 come in",),
        problems=2,
    ),
]

MEANING = [*FLOW, *SLICES, *ELIC]
