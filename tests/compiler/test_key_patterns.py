"""Patterns of keys match whole segments, and write what they read."""

from __future__ import annotations

from typing import Any

import pytest

from codecspec.compiler.key_patterns import KeyPattern
from codecspec.schema.errors import LayoutError


@pytest.mark.parametrize(
    ("pattern", "key", "fields"),
    [
        ("g_a.weight", "g_a.weight", {}),
        ("g_a.weight", "g_a.weights", None),
        ("g_a.{*}", "g_a.0.conv.weight", {"": "0.conv.weight"}),
        ("g_a.{*}", "g_a", None),
        ("g_a.{*}", "g_ab.0", None),
        ("h.{k}.{*}", "h.10.weight", {"k": 10, "": "weight"}),
        ("h.{k}.{*}", "h.x.weight", None),
        ("h.y{k}", "h.y3", {"k": 3}),
        ("h.y{k}", "h.y10", {"k": 10}),
        ("h.y1", "h.y10", None),
        ("h.{i+1}", "h.3", {"i": 2}),
        ("h.{i+1}", "h.0", None),
        ("h.{2*i}", "h.6", {"i": 3}),
        ("h.{2*i}", "h.7", None),
        ("h.{2*i+1}", "h.7", {"i": 3}),
        ("h.{k}", "h.03", None),
        ("h.{k}", "h.-1", None),
        ("{head*}.index", "a.b.c.index", {"head": "a.b.c"}),
        ("{head*}.index", "index", None),
        ("a.{k}.{*}.b{k}", "a.2.x.y.b2", {"k": 2, "": "x.y"}),
        ("a.{k}.{*}.b{k}", "a.2.x.y.b3", None),
        ("a.{k}.b{k}", "a.2.b3", None),
        ("{head*}.ln1.{p:weight|bias}", "x.y.ln1.bias", {"head": "x.y", "p": "bias"}),
        ("{head*}.ln1.{p:weight|bias}", "x.y.ln1.gain", None),
    ],
)
def test_match(pattern: str, key: str, fields: dict[str, Any] | None) -> None:
    assert KeyPattern(pattern).match(key) == fields
    if fields is not None:
        assert KeyPattern(pattern).format(fields) == key


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("a.{b", "'{b' is no segment"),
        ("a..b", "'' is no segment"),
        ("a.{*}.{head*}", "more than one field of several segments"),
        ("a.{K}", "is no segment"),
        ("a.{k*2}", "is no segment"),
    ],
)
def test_what_is_no_pattern_is_refused(pattern: str, message: str) -> None:
    with pytest.raises(LayoutError, match=message.replace("{", r"\{").replace("*", r"\*")):
        KeyPattern(pattern)
