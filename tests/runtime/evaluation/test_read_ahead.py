"""What is read ahead comes in its order, its errors where they belong, and while something else is done."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import codecspec as cs
from codecspec.runtime.evaluation import measurement, run
from codecspec.runtime.evaluation.read_ahead import ReadAhead
from tests.runtime.small_codecs import small

PATIENCE = 60
"""Seconds until a test says that what it waits for never comes."""


def _broken() -> int:
    raise OSError("broken")


def test_in_order_whatever_has_begun() -> None:
    with ReadAhead([lambda: 1, _broken, lambda: 3]) as reads:
        assert reads.take() == 1
        reads.begin()
        reads.begin()  # the same one
        with pytest.raises(OSError, match="broken"):
            reads.take()
        assert reads.take() == 3
        reads.begin()  # there is nothing more
        with pytest.raises(StopIteration):
            reads.take()


def test_what_has_begun_needs_no_waiting_for() -> None:
    begun = threading.Event()
    with ReadAhead([begun.set]) as reads:
        assert not begun.is_set()
        reads.begin()
        assert begun.wait(PATIENCE)


def test_the_next_image_is_read_while_one_is_compared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in "abc":
        Image.fromarray(np.full((40, 40, 3), 7, np.uint8)).save(tmp_path / f"{name}.png")
    (tmp_path / "b.png").write_bytes(b"no image")
    read = {name: threading.Event() for name in ("a.png", "b.png", "c.png")}
    waited = []

    def noted(data: bytes, where: str) -> Any:
        read[Path(where).name].set()
        return real_read(data, where)

    def compared(*images: Any) -> Any:
        waited.append(read["b.png"].wait(PATIENCE))
        return real_quality(*images)

    real_read, real_quality = run.read_image_file, measurement.quality
    monkeypatch.setattr(run, "read_image_file", noted)
    monkeypatch.setattr(measurement, "quality", compared)
    found = cs.evaluate(small("mbt2018-mean"), tmp_path)
    assert waited == [True, True]
    assert [row.image for row in found.rows] == ["a.png", "c.png"]
    assert [failure.image for failure in found.failures] == ["b.png"]
