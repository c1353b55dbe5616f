"""The allocator's setting: asked for, never on import, and what it does to page faults."""

from __future__ import annotations

import json
import platform
import subprocess
import sys

import pytest

PAGES = 64_000_000 // 4096
"""Of one tensor."""
GLIBC = platform.libc_ver()[0] == "glibc"
FAULTS = """
import json, resource, sys
import torch
import codecspec as cs
import codecspec.runtime.codec
asked = sys.argv[1] == "asked" and cs.keep_freed_memory()
x = torch.ones(16_000_000)
for _ in range(3):
    y = x + 1
    del y
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    y = x + 1
    del y
print(json.dumps([asked, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before]))
"""


def faults(what: str) -> tuple[bool, int]:
    """Whether it was set, and the page faults of 20 tensors of 64 MB made one after another."""
    command = [sys.executable, "-W", "ignore", "-c", FAULTS, what]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    asked, count = json.loads(done.stdout)
    return asked, count


@pytest.mark.skipif(not GLIBC, reason="the setting is glibc's")
def test_freed_memory_is_used_again_where_that_is_asked_for() -> None:
    assert faults("asked")[0]
    # In one place, or two: something small may have come to lie where the first tensor was.
    assert faults("asked")[1] < 1.1 * PAGES


@pytest.mark.skipif(not GLIBC, reason="the setting is glibc's")
def test_importing_sets_nothing() -> None:
    asked, count = faults("not asked")
    assert not asked
    assert count > 500


def test_elsewhere_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    from codecspec.runtime.allocator import keep_freed_memory

    monkeypatch.setattr("codecspec.runtime.allocator.platform.libc_ver", lambda: ("", ""))
    assert not keep_freed_memory()
