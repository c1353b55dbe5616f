"""The source as syntax trees: what the contracts are checked on."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("codecspec", "schema", "compiler", "runtime", "specs")
"""The folders that are installed."""


def source_files(*rooms: str) -> list[Path]:
    """Every Python file of the rooms (of all of them by default), relative to the repository."""
    found = [file for room in rooms or ROOMS for file in sorted((ROOT / room).rglob("*.py"))]
    return [file.relative_to(ROOT) for file in found]


def files_of_tests() -> list[Path]:
    return [file.relative_to(ROOT) for file in sorted((ROOT / "tests").rglob("*.py"))]


def module_name(file: Path) -> str:
    """`compiler/kinds/conv.py` -> `codecspec.compiler.kinds.conv`."""
    steps = [*file.parts[:-1], *([] if file.stem == "__init__" else [file.stem])]
    return ".".join(steps if steps[0] == "codecspec" else ["codecspec", *steps])


@cache
def syntax_tree(file: Path) -> ast.Module:
    return ast.parse((ROOT / file).read_text(encoding="utf-8"), filename=str(file))


@dataclass(frozen=True)
class Import:
    """One module (or a name in one) that a file imports.

    Args:
        file: the file.
        line: where.
        name: `torch.nn`; for `from torch import nn` there are two, `torch` and `torch.nn`.
        level: dots of a relative import.
        lazy: it stands in a function or under TYPE_CHECKING, so importing the file does not run it.
    """

    file: Path
    line: int
    name: str
    level: int
    lazy: bool

    def is_of(self, *packages: str) -> bool:
        return any(self.name == package or self.name.startswith(f"{package}.") for package in packages)

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.name}"


def imports(file: Path) -> list[Import]:
    """Every import in a file, wherever it stands."""
    return list(_imports(syntax_tree(file), file, lazy=False))


def _imports(node: ast.AST, file: Path, *, lazy: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(file, child.lineno, alias.name, 0, lazy)
        elif isinstance(child, ast.ImportFrom):
            module = child.module or ""
            yield Import(file, child.lineno, module, child.level, lazy)
            for alias in child.names:
                yield Import(file, child.lineno, f"{module}.{alias.name}", child.level, lazy)
        elif isinstance(child, ast.If) and ast.unparse(child.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            yield from _imports(ast.Module(child.body, []), file, lazy=True)
            yield from _imports(ast.Module(child.orelse, []), file, lazy=lazy)
        else:
            in_function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            yield from _imports(child, file, lazy=lazy or in_function)
