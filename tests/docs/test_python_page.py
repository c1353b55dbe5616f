"""The page of the public names: every name, with its signature, and what it takes and raises."""

from __future__ import annotations

import inspect
import re

import pytest

import codecspec as cs
from docs.generators.python_page import GROUPS, python_page

PAGE = python_page()


def test_every_public_name_has_its_section_once() -> None:
    named = [name for names in GROUPS.values() for name in names]
    assert sorted(named) == sorted(cs.__all__)
    assert re.findall(r"^### `(\w+)`", PAGE, re.MULTILINE) == named


@pytest.mark.parametrize("name", [name for name in cs.__all__ if inspect.isfunction(getattr(cs, name))])
def test_a_function_says_what_it_takes_and_raises(name: str) -> None:
    section = PAGE.partition(f"### `{name}`")[2].partition("\n### ")[0]
    assert f"```python\n{name}(" in section
    docstring = inspect.cleandoc(getattr(cs, name).__doc__ or "")
    for item in re.findall(r"^    (\w+): ", docstring, re.MULTILINE):
        assert f"- `{item}`: " in section
    assert not re.search(r"^(Args|Raises|Returns):", section, re.MULTILINE)
