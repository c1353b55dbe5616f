"""Docstrings as Markdown."""

from __future__ import annotations

import re
from itertools import zip_longest


def plain(text: str) -> str:
    """Text in one line, with nothing in it taken for Markdown or HTML but what stands in backticks."""
    joined = " ".join(text.split())
    words, code = joined.split("`")[::2], joined.split("`")[1::2]
    shown = [re.sub(r"[|*\[\]<>]", lambda found: f"&#{ord(found[0])};", each) for each in words]
    return "".join(each for pair in zip_longest(shown, (f"`{each}`" for each in code), fillvalue="") for each in pair)


def first_paragraph(docstring: str) -> str:
    """What a docstring begins with, its drawing left out."""
    return plain(docstring.strip().split("\n\n", 1)[0])
