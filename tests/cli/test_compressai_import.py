"""What a command imports of CompressAI; processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PROBE = """
import json, sys
from codecspec.runtime.compressai_import import NOT_NEEDED, leave_out
leave_out(*json.loads(sys.argv[1]))
import codecspec as cs
codec = cs.compile_spec("mbt2018-mean", N=8, M=12)
codec.prepare_tables()
heavy = ("torch_geometric", "torchvision", "pandas", "timm")
print(json.dumps([name for name in heavy if name in sys.modules]))
from compressai.zoo import image_models
assert "mbt2018-mean" in image_models
"""


def _loaded(*names: list[str]) -> list[str]:
    command = [sys.executable, "-W", "ignore", "-c", PROBE, json.dumps(names)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found


def test_a_command_leaves_out_datasets() -> None:
    assert _loaded() == []


@pytest.mark.slow
def test_it_is_imported_whole_where_it_needs_what_is_left_out() -> None:
    assert "torch_geometric" in _loaded(["compressai.layers", "torchvision"])
