"""Kernels on disk: found again, never when anything that they are made from has changed, and what compiling says."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from codecspec.runtime.entropy_coding import kernel_cache
from codecspec.runtime.entropy_coding.compiled import EVERY_TIME, ONCE
from tests.contracts.source_files import imports, source_files, syntax_tree

SOURCE = Path(kernel_cache.__file__).parents[1]
KERNELS = """
from codecspec.runtime.entropy_coding.compiled import compiled, on_all_threads
from codecspec.runtime.layers.other_kernels import FACTOR, shifted
from codecspec.runtime.vector_kernels import taken

@compiled
def scaled(x):
    return FACTOR * shifted(x)

@on_all_threads
def count(at):
    for _ in range(FACTOR):
        taken(at)
"""
OTHER = """
from codecspec.runtime.entropy_coding.compiled import part

FACTOR = 2

@part
def shifted(x):
    return x + 1
"""
RUN = """
import ctypes, logging
import numpy as np

logging.basicConfig(format="%(message)s")
logging.getLogger("codecspec").setLevel(logging.INFO)
from codecspec.runtime.layers.own_kernels import count, scaled

number = np.zeros(1, np.int64)
ctypes.CFUNCTYPE(None, ctypes.c_int64)(count.address)(number.ctypes.data)
print(scaled(20), number[0])
"""


@dataclass(frozen=True)
class Package:
    """A package of that name with two files of kernels, of which one is made from the other."""

    folder: Path

    @property
    def layers(self) -> Path:
        return self.folder / "codecspec" / "runtime" / "layers"

    def write_other(self, before: str = "", after: str = "") -> None:
        (self.layers / "other_kernels.py").write_text(OTHER.replace(before, after) if before else OTHER)

    def cached(self) -> set[str]:
        return {file.name for file in self.folder.rglob("*.nb[ci]")}

    def start(self, **environment: str) -> subprocess.Popen[str]:
        without = ("NUMBA_CACHE_DIR", "PYTHONPATH")
        others = {name: value for name, value in os.environ.items() if name not in without}
        # Python itself looks at whole seconds and sizes, and would take the other file's code from before the change.
        given = {"PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1", **environment}
        return subprocess.Popen(
            [sys.executable, "-c", RUN],
            env=others | given,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
        )

    def run(self, **environment: str) -> tuple[str, str]:
        """What the kernels give in a new process, and what was said."""
        out, err = self.start(**environment).communicate()
        return out.strip(), err.strip()


@pytest.fixture
def package(tmp_path: Path) -> Package:
    runtime = tmp_path / "codecspec" / "runtime"
    copied = ["vector_kernels.py", "entropy_coding/compiled.py", "entropy_coding/kernel_cache.py"]
    for file in kernel_cache.sources():
        name = file.relative_to(SOURCE)
        if not name.name.endswith("_kernels.py"):
            (runtime / name).parent.mkdir(parents=True, exist_ok=True)
            (runtime / name).touch()
    for name in copied:
        (runtime / name).write_text((SOURCE / name).read_text())
    made = Package(tmp_path)
    (made.layers / "own_kernels.py").write_text(KERNELS)
    made.write_other()
    return made


def test_kernels_follow_what_they_are_made_from(package: Package) -> None:
    """The file of the kernels themselves stays as it is; each process gives today's numbers."""
    assert package.run() == ("42 2", ONCE)
    kept = package.cached()
    assert package.run() == ("42 2", ""), "found on disk"
    assert package.cached() == kept
    package.write_other("FACTOR = 2", "FACTOR = 3")
    assert package.run() == ("63 3", ONCE)
    assert len(package.cached()) == len(kept), "nothing is left of the version before"
    assert not package.cached() & kept
    package.write_other("x + 1", "x - 1")
    assert package.run()[0] == "38 2"
    assert len(package.cached()) == len(kept)


def test_processes_that_start_together_do_not_hinder_each_other(package: Package) -> None:
    started = [package.start() for _ in range(3)]
    assert [each.communicate()[0].strip() for each in started] == ["42 2"] * 3
    assert package.run() == ("42 2", "")


def test_source_that_cannot_be_read_is_compiled_anew(package: Package) -> None:
    (package.layers / "winograd.py").unlink()
    assert package.run() == ("42 2", EVERY_TIME)
    assert package.cached() == set()


def _in_the_home(package: Package, home: Path) -> dict[str, str]:
    (package.layers / "__pycache__").write_text("a file, so that no folder of that name can be made")
    return {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}


def test_the_users_cache_folder_takes_over(package: Package) -> None:
    home = package.folder / "home"
    places = _in_the_home(package, home)
    assert [package.run(**places), package.run(**places)] == [("42 2", ONCE), ("42 2", "")]
    assert all(file.is_relative_to(home) for file in package.folder.rglob("*.nb[ci]"))


def test_without_any_folder_each_process_compiles(package: Package) -> None:
    home = package.folder / "home"
    home.write_text("a file")
    places = _in_the_home(package, home)
    assert [package.run(**places), package.run(**places)] == [("42 2", EVERY_TIME)] * 2


def test_kernels_run_as_python_where_numba_is_switched_off() -> None:
    program = "from codecspec.runtime.entropy_coding.syndrome_kernels import columns; print(columns.__name__)"
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("columns\n", "")


def test_a_folder_that_is_named_comes_first(package: Package) -> None:
    place = package.folder / "place"
    assert package.run(NUMBA_CACHE_DIR=str(place)) == ("42 2", ONCE)
    assert all(file.is_relative_to(place) for file in package.folder.rglob("*.nb[ci]"))


def test_what_kernels_take_from_other_files_counts() -> None:
    """Each file that one of kernels imports is in the digest, and constants of it are written out there."""
    counted = {Path("runtime") / file.relative_to(SOURCE) for file in kernel_cache.sources()}
    kernels = [file for file in source_files("runtime") if file.name.endswith("_kernels.py")]
    assert set(kernels) <= counted
    modules = {f"codecspec.{'.'.join(file.with_suffix('').parts)}": file for file in counted}
    for found in (found for file in kernels for found in imports(file) if found.is_of("codecspec")):
        module, _, name = found.name.rpartition(".")
        file = modules.get(found.name) or modules.get(module)
        assert file is not None, f"{found}, which is not among the sources of kernels"
        if module in modules and not _is_of_kernels(file):
            assert _is_written_out(file, name), f"{found}, which is more than a constant"


def _is_of_kernels(file: Path) -> bool:
    return file.name == "compiled.py" or file.name.endswith("_kernels.py")


def _is_written_out(file: Path, name: str) -> bool:
    given = [
        node.value
        for node in syntax_tree(file).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
    ]
    return len(given) == 1 and not any(isinstance(node, ast.Name | ast.Call) for node in ast.walk(given[0]))
