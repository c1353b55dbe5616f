"""The error codes: one closed list, in the source, in its documentation, and in use."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import get_args

from codecspec.schema.errors import ErrorCode
from tests.contracts.source_files import ROOT, source_files, syntax_tree

CODES: tuple[str, ...] = get_args(ErrorCode)
LIST = Path("schema/errors.py")
CODE = re.compile(r"E-[a-z]+(-[a-z]+)*\Z")


def _codes_in(file: Path) -> set[str]:
    constants = [node.value for node in ast.walk(syntax_tree(file)) if isinstance(node, ast.Constant)]
    return {value for value in constants if isinstance(value, str) and CODE.match(value)}


def test_each_code_has_its_section_in_the_documentation() -> None:
    headings = re.findall(r"^### (.*)$", (ROOT / "docs" / "errors.md").read_text(), flags=re.MULTILINE)
    assert headings == list(CODES)


def test_each_code_is_raised_and_no_other() -> None:
    used = set().union(*(_codes_in(file) for file in source_files() if file != LIST))
    assert sorted(used) == sorted(CODES)


def test_no_code_stands_twice() -> None:
    assert len(set(CODES)) == len(CODES)
