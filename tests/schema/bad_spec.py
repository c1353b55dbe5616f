"""Shared by the tests of bad specs: two small good ones, and a way to spoil them that shows the place of the error."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from codecspec.compiler.lower import lower
from codecspec.compiler.plan import Plan
from codecspec.schema.errors import ErrorCode
from codecspec.schema.load import load_spec

TINY = """\
codecspec: 1
name: tiny
params: {N: 8, M: 16, depths: [1, 2]}
g_a:
  - {type: conv, out: N, kernel: 5, stride: 2}
  - {type: gdn}
  - repeat: {count: "depths[1]", index: i, blocks: [{type: leaky_relu, slope: i}]}
  - {type: conv, out: M, kernel: 5, stride: 2}
g_s:
  - {type: deconv, out: N, kernel: 5, stride: 2}
  - {type: gdn, inverse: true}
  - {type: subpel, out: 3, kernel: 3, factor: 2}
latent_codec:
  type: hyperprior
  h_a: [{type: conv, out: N, stride: 2}]
  h_s: [{type: deconv, out: 2*M, stride: 2}]
  z: {type: entropy_bottleneck}
  y: {type: gaussian}
"""
"""A mean-scale hyperprior."""

GROUPS = """\
codecspec: 1
name: tiny-groups
params: {M: 16, slices: 4}
g_a:
  - {type: conv, out: M, stride: 2}
  - {type: window_gate, heads: 4, window: 4, shift: 2}
g_s: [{type: deconv, out: 3, stride: 2}]
latent_codec:
  type: hyperprior
  h_a: [{type: conv, out: 8, stride: 2}]
  h_s:
    type: dual
    mean: [{type: deconv, out: M, stride: 2}]
    scale: [{type: deconv, out: M, stride: 2}]
  z: {type: entropy_bottleneck, quantizer: ste}
  y:
    type: channel_groups
    groups: {equal: slices}
    side_in_context: true
    support: {filter: first, max: 2}
    context: {type: mean_scale, widths: [8], emit_mean_support: pre}
    leaf: {type: lrp_gaussian, widths: [8]}
"""
"""Channel groups with LRP."""

CARET = "^"
"""Stands in a bad spec right before the place where its error is expected."""


@dataclass(frozen=True)
class Bad:
    """A bad spec.

    Args:
        id: the way in which it is bad.
        text: the spec; a caret marks the place of the error.
        code: the error's code.
        says: what its message says, in parts: what was found, what is allowed.
        hint: what its hint says.
        problems: how many problems it has.
    """

    id: str
    text: str | bytes
    code: ErrorCode
    says: tuple[str, ...]
    hint: str = ""
    problems: int = 1

    @property
    def content(self) -> bytes:
        raw = self.text.encode() if isinstance(self.text, str) else self.text
        return raw.replace(CARET.encode(), b"", 1)

    def place(self) -> tuple[int, int]:
        """Line and column of the caret, counted from 1, in characters."""
        raw = self.text.encode() if isinstance(self.text, str) else self.text
        before = raw[: raw.index(CARET.encode())].decode()
        return before.count("\n") + 1, len(before) - before.rfind("\n")

    def write(self, folder: Path) -> Path:
        """The spec as a file in `folder`."""
        path = folder / "spec.yaml"
        path.write_bytes(self.content)
        return path


def check(path: Path) -> Plan:
    """Everything that a spec is checked for."""
    return lower(load_spec(path))


def spoilt(old: str, new: str, base: str = TINY) -> str:
    """`base` with its only `old` replaced by `new`."""
    if base.count(old) != 1:
        raise ValueError(f"{old!r} stands {base.count(old)} times in the spec")
    return base.replace(old, new)
