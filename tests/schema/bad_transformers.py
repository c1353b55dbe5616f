"""Bad specs: transformer blocks and support transforms that do not fit what comes in."""

from __future__ import annotations

from tests.schema.bad_spec import GROUPS, Bad, spoilt

GATE = "{type: window_gate, heads: 4, window: 4, shift: 2}"
CONTEXT = "widths: [8], emit_mean_support: pre"


def _block(text: str) -> str:
    return spoilt(GATE, text, GROUPS)


def _transform(text: str) -> str:
    return spoilt(CONTEXT, f"widths: [8], transform: {text}, emit_mean_support: pre", GROUPS)


TRANSFORMERS = [
    Bad(
        "conv_trans-head_dim",
        _block("{type: conv_trans, head_dim: ^3}"),
        "E-channels",
        ("half of 16 channels does not divide into heads of 3",),
    ),
    Bad(
        "conv_trans-shift",
        _block("{type: conv_trans, head_dim: 4, window: 4, shift: ^4}"),
        "E-channels",
        ("the shift 4 is not less than the window 4",),
    ),
    Bad(
        "swin-heads",
        _block("{type: swin, heads: ^5}"),
        "E-channels",
        ("the 16 channels that come in do not divide into 5 heads",),
    ),
    Bad(
        "swin-shift",
        _block("{type: swin, heads: 4, shift: ^7}"),
        "E-channels",
        ("the shift 7 is not less than the window 4",),
    ),
    Bad(
        "drop_path-rate",
        _block("{type: swin, heads: 4, drop_path: {last: ^1.5, block: 0, of: 2}}"),
        "E-value",
        ("'last' is 1.5",),
    ),
    Bad(
        "drop_path-field",
        _block("{type: swin, heads: 4, drop_path: {last: 0.1, block: 0, of: 2, ^off: 2}}"),
        "E-unknown-key",
        ("unknown key 'off'; allowed here: last, block, of",),
        "did you mean 'of'?",
    ),
    Bad(
        "patch_split-odd",
        spoilt(GATE, "{type: ^patch_split}", GROUPS.replace("M: 16, slices: 4", "M: 15, slices: 5")),
        "E-channels",
        ("a patch_split halves its channels, and 15 come in",),
        problems=3,
    ),
    Bad(
        "sw_atten-width",
        _transform("{type: sw_atten, width: ^24}"),
        "E-channels",
        ("24 channels do not divide into heads of 16 and two halves",),
    ),
    Bad(
        "unknown-transform",
        _transform("{type: ^sw_attn}"),
        "E-unknown-type",
        ("unknown type 'sw_attn'", "sw_atten"),
        "did you mean 'sw_atten'?",
    ),
]
