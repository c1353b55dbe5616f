"""The allocator's setting: asked for, never on import, and what it does to page faults."""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys

import pytest

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
counts = []
for _ in range(20):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    y = x + 1
    del y
    counts.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(json.dumps([asked, counts]))
"""


def faults(what: str) -> tuple[bool, list[int]]:
    """Whether it was set, and the page faults of each of 20 tensors of 64 MB made one after another."""
    command = [sys.executable, "-W", "ignore", "-c", FAULTS, what]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    asked, counts = json.loads(done.stdout)
    return asked, counts


@pytest.mark.skipif(not GLIBC, reason="the setting is glibc's")
def test_freed_memory_is_used_again_where_that_is_asked_for() -> None:
    asked, counts = faults("asked")
    assert asked
    # One now and then lies in a new place, where something small has come to lie in the one before.
    assert statistics.median(counts) < 25


@pytest.mark.skipif(not GLIBC, reason="the setting is glibc's")
def test_importing_sets_nothing() -> None:
    asked, counts = faults("not asked")
    assert not asked
    assert statistics.median(counts) >= 25


def test_elsewhere_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    from codecspec.runtime.allocator import keep_freed_memory

    monkeypatch.setattr("codecspec.runtime.allocator.platform.libc_ver", lambda: ("", ""))
    assert not keep_freed_memory()
