"""Who may import whom, and that what needs no torch loads none."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.compiler.checkpoints.written import header_of, legacy_with_pickle, one_tensor, zip_with_pickle
from tests.contracts.source_files import ROOT, Import, files_of_tests, imports, source_files

HEAVY = ("torch", "compressai", "numpy", "numba")

MODULES_OF = {
    "PyYAML": ("yaml",),
    "pillow": ("PIL",),
    "pypng": ("png",),
    "quickjs-ng": ("quickjs",),
    "pydantic": ("pydantic", "pydantic_core"),
}
"""What a dependency is imported as, where that is not its name."""


def _all_imports(*rooms: str) -> list[Import]:
    return [found for file in source_files(*rooms) for found in imports(file)]


def _said(found: list[Import]) -> list[str]:
    return [str(each) for each in found]


def test_schema_imports_no_room_above_it_and_no_arrays() -> None:
    forbidden = ("codecspec.compiler", "codecspec.runtime", "codecspec.cli", *HEAVY)
    assert _said([found for found in _all_imports("schema", "specs") if found.is_of(*forbidden)]) == []


def test_runtime_imports_no_compiler() -> None:
    found = [found for found in _all_imports("runtime") if found.is_of("codecspec.compiler", "codecspec.cli")]
    assert _said(found) == []


def test_compiler_imports_what_runs_only_inside_functions() -> None:
    runs = ("codecspec.runtime", *HEAVY, "safetensors.torch")
    everywhere = [found for found in _all_imports("compiler") if found.is_of("codecspec.cli")]
    at_import = [found for found in _all_imports("compiler") if found.is_of(*runs) and not found.lazy]
    assert _said(everywhere + at_import) == []


def test_no_relative_imports() -> None:
    everything = _all_imports() + [found for file in files_of_tests() for found in imports(file)]
    assert _said([found for found in everything if found.level]) == []


def test_yaml_is_read_and_written_in_one_place() -> None:
    assert {str(found.file) for found in _all_imports() if found.is_of("yaml")} == {"schema/yaml_source.py"}


def test_every_import_is_a_declared_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    known = {"codecspec", *sys.stdlib_module_names}
    for requirement in project["dependencies"]:
        name = re.split(r"[<>=!~\[; ]", requirement)[0]
        known.update(MODULES_OF.get(name, (name,)))
    undeclared = {
        (found.name.partition(".")[0], str(found.file)) for found in _all_imports() if not found.is_of(*known)
    }
    extras = {("skimage", "codecspec/cli/demo.py"), ("fsspec", "compiler/checkpoints/byte_source.py")}
    assert undeclared <= extras, "the demo and URLs have extras of their own; nothing else has"


LIGHT = {
    "import codecspec": [],
    "import codecspec.zoo": [],
    "import codecspec.compiler.kinds": [],
    "compile-spec --check": ["compile_spec", "--check", str(ROOT / "specs" / "wacnn.yaml")],
    "compile-spec --tree": ["compile_spec", "wacnn", "--tree"],
    "infer-spec --help": ["infer_spec", "--help"],
    "codecspec --help": ["codecspec", "--help"],
    "codecspec stream": ["codecspec", "stream", str(ROOT / "tests/golden/streams/version-1-codecspec-portable.csp")],
    "codecspec schema": ["codecspec", "schema"],
    "codecspec stats": ["codecspec", "stats", "wacnn", "cca-aux"],
    "codecspec zoo": ["codecspec", "zoo"],
    "codecspec inspect, zip": ["codecspec", "inspect", "x.pth"],
    "codecspec inspect, legacy": ["codecspec", "inspect", "legacy.pth", "--json"],
    "codecspec inspect, safetensors": ["codecspec", "inspect", "x.safetensors"],
}
PROBE = """
import contextlib, importlib, io, json, sys
what, heavy, command = json.loads(sys.argv[1])
code = 0
if command:
    sys.argv = command
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            importlib.import_module(f"codecspec.cli.{command[0]}").main()
    except SystemExit as end:
        code = end.code or 0
else:
    importlib.import_module(what.removeprefix("import "))
print(json.dumps([code, [name for name in heavy if name in sys.modules]]))
"""


@pytest.mark.parametrize("what", LIGHT)
def test_what_needs_no_torch_loads_none(what: str, tmp_path: Path) -> None:
    (tmp_path / "x.pth").write_bytes(zip_with_pickle(one_tensor(), **{"0": bytes(16)}))
    (tmp_path / "legacy.pth").write_bytes(legacy_with_pickle(one_tensor(), ("0", bytes(16))))
    (tmp_path / "x.safetensors").write_bytes(
        header_of({"a": {"dtype": "U8", "shape": [], "data_offsets": [0, 1]}}, b"1")
    )
    command = [sys.executable, "-c", PROBE, json.dumps([what, HEAVY, LIGHT[what]])]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert result.stdout, result.stderr
    assert json.loads(result.stdout) == [0, []], result.stderr
