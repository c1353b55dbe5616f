"""How the source is laid out and written."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contracts.source_files import ROOMS, ROOT, files_of_tests, module_name, source_files, syntax_tree

MAX_LINES = 400
MAX_TEST_LINES = 600
SAYS_NOTHING = {"utils", "util", "helpers", "helper", "misc", "common", "stuff"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def _classes() -> dict[str, list[ast.ClassDef]]:
    """Every class by its name; a name may stand for several."""
    classes: dict[str, list[ast.ClassDef]] = {}
    for file in source_files():
        for node in ast.walk(syntax_tree(file)):
            if isinstance(node, ast.ClassDef):
                classes.setdefault(node.name, []).append(node)
    return classes


CLASSES = _classes()


def _ancestors(cls: ast.ClassDef) -> Iterator[ast.ClassDef]:
    """The classes of this source that `cls` is made from."""
    for base in cls.bases:
        name = base.value if isinstance(base, ast.Subscript) else base
        if isinstance(name, ast.Name):
            for parent in CLASSES.get(name.id, []):
                if parent is not cls:
                    yield parent
                    yield from _ancestors(parent)


def _documented_above(method: Function, cls: ast.ClassDef) -> bool:
    """Whether a base says already what this method does."""
    own = [node for base in _ancestors(cls) for node in base.body if isinstance(node, Function)]
    return any(node.name == method.name and ast.get_docstring(node) for node in own)


def _undocumented(file: Path) -> list[str]:
    tree = syntax_tree(file)
    found = [] if ast.get_docstring(tree) else [f"{file}: the module"]
    for node in tree.body:
        if not isinstance(node, (Function, ast.ClassDef)) or node.name.startswith("_"):
            continue
        if not ast.get_docstring(node):
            found.append(f"{file}:{node.lineno} {node.name}")
        if isinstance(node, ast.ClassDef):
            found += [
                f"{file}:{method.lineno} {node.name}.{method.name}"
                for method in node.body
                if isinstance(method, Function)
                and not method.name.startswith("_")
                and not ast.get_docstring(method)
                and not _documented_above(method, node)
                and not any(isinstance(each, ast.Name) and each.id == "overload" for each in method.decorator_list)
            ]
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_what_is_public_has_a_docstring(room: str) -> None:
    assert [each for file in source_files(room) for each in _undocumented(file)] == []


def test_files_are_short() -> None:
    limits = [(file, MAX_LINES) for file in source_files()] + [(file, MAX_TEST_LINES) for file in files_of_tests()]
    lengths = [(file, len((ROOT / file).read_text().splitlines()), limit) for file, limit in limits]
    assert [f"{file}: {lines} lines, limit {limit}" for file, lines, limit in lengths if lines > limit] == []


def test_files_are_named_after_what_is_in_them() -> None:
    files = [*source_files(), *files_of_tests()]
    assert [str(file) for file in files if file.stem.removeprefix("_").removeprefix("test_") in SAYS_NOTHING] == []


def test_no_assert_in_the_source() -> None:
    found = [
        f"{file}:{node.lineno}"
        for file in source_files()
        for node in ast.walk(syntax_tree(file))
        if isinstance(node, ast.Assert)
    ]
    assert found == []


def _swallows(function: Function) -> bool:
    """It takes any keyword, and never looks at what it took."""
    taken = function.args.kwarg
    used = {node.id for line in function.body for node in ast.walk(line) if isinstance(node, ast.Name)}
    return taken is not None and taken.arg not in used


def test_no_keyword_is_swallowed() -> None:
    found = [
        f"{file}:{node.lineno} {node.name}"
        for file in source_files()
        for node in ast.walk(syntax_tree(file))
        if isinstance(node, Function) and _swallows(node)
    ]
    assert found == []


def test_every_source_folder_is_installed() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {file.parent for file in source_files()}
    assert sorted(settings["packages"]) == sorted(module_name(folder / "__init__.py") for folder in folders)
    assert [str(folder) for folder in folders if not (ROOT / folder / "__init__.py").is_file()] == []
    for package, folder in settings["package-dir"].items():
        assert package == module_name(Path(folder) / "__init__.py")


def test_every_room_is_a_folder_with_source() -> None:
    assert [room for room in ROOMS if not source_files(room)] == []
